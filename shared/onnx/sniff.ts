/** @file What a file that is not an ONNX model seems to be: for the message only. */

/** File formats people take for ONNX, by how their bytes begin; `at` is where the mark stands. */
const marks: readonly { readonly mark: string; readonly at?: number; readonly what: string }[] = [
  { mark: "\xff\xd8\xff", what: "a JPEG image" },
  { mark: "\x89PNG", what: "a PNG image" },
  { mark: "GIF8", what: "a GIF image" },
  { mark: "RIFF", what: "a WebP or other RIFF file" },
  { mark: "%PDF", what: "a PDF document" },
  { mark: "\x1f\x8b", what: "a gzip archive: unpack it" },
  { mark: "PK\x03\x04", what: "a zip archive (PyTorch saves .pt files so): export the model to ONNX" },
  { mark: "\x89HDF", what: "an HDF5 file (Keras saves so): convert the model to ONNX" },
  { mark: "TFL3", at: 4, what: "a TensorFlow Lite model: convert it to ONNX" },
  { mark: "ORTM", at: 4, what: "a model in ORT format: give the .onnx file it was made from" },
  { mark: "\x93NUMPY", what: "a NumPy array" },
  { mark: "version https://git-lfs", what: "a Git LFS pointer, not the model itself: run `git lfs pull`" },
];

/** The bytes looked at to tell text from data. */
const textProbe = 64;

/** `a JPEG image`, `an HTML page` and so on; undefined where the bytes say nothing. */
export function sniff(bytes: Uint8Array): string | undefined {
  if (bytes.length === 0) return "empty";
  const head = String.fromCharCode(...bytes.subarray(0, textProbe));
  const found = marks.find(({ mark, at = 0 }) => head.startsWith(mark, at));
  if (found !== undefined) return found.what;
  if (/^\s*<(!doctype|html|\?xml|svg|head)/i.test(head))
    return "an HTML or XML page, perhaps an error page of a server";
  if (/^\s*[{[]/.test(head) && isText(head)) return "JSON text";
  return isText(head) ? "text" : undefined;
}

const isText = (head: string): boolean => /^[\t\n\r\x20-\x7e\x80-\xff]+$/.test(head) && /^[\x20-\x7e\s]{4}/.test(head);
