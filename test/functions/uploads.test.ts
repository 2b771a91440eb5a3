/** @file The consumers of uploads: told twice, told late, told of nonsense, and failing stores. */
import { afterEach, describe, expect, it } from "vitest";
import { consumeDeadLetters, consumeUploads, pause, type QueueMessage } from "../../functions/queue/uploads.ts";
import { AppError } from "../../shared/errors.ts";
import { uploadEvent } from "../../shared/pipeline/events.ts";
import type { ObjectStore } from "../../shared/storage/store.ts";
import { picture, type Rig, type RigOptions, startRig } from "../support/service.ts";

let rig: Rig | undefined;
const start = async (options?: RigOptions): Promise<Rig> => {
  rig = await startRig(options);
  return rig;
};
afterEach(async () => {
  await rig?.stop();
  rig = undefined;
});

interface Delivered extends QueueMessage {
  fate: "acked" | number | undefined;
}

let serial = 0;
function message(body: unknown, attempts = 1): Delivered {
  serial += 1;
  const made: Delivered = {
    id: `m${serial}`,
    attempts,
    body,
    fate: undefined,
    ack: () => {
      made.fate = "acked";
    },
    retry: ({ delaySeconds }) => {
      made.fate = delaySeconds;
    },
  };
  return made;
}

const eventOf = ({ key, etag }: { readonly key: string; readonly etag: string }) =>
  uploadEvent({ bucket: "backlight", key, etag });

async function deliver(
  to: Rig,
  body: unknown,
  attempts = 1,
): Promise<{ fate: Delivered["fate"]; line: Record<string, unknown> }> {
  const sent = message(body, attempts);
  await consumeUploads([sent], to.deps);
  return { fate: sent.fate, line: to.lines.at(-1) ?? {} };
}

/** A store whose reads of one key fail as an overloaded one's do. */
const failing =
  (key: string) =>
  (store: ObjectStore): ObjectStore => ({
    ...store,
    get: (asked, options) =>
      asked === key
        ? Promise.reject(
            new AppError("storage-failed", `cannot read "${asked}": the store is overloaded`, { transient: true }),
          )
        : store.get(asked, options),
  });

describe("an upload", () => {
  it("is explained, and its document, map and picture lie beside each other", async () => {
    const { store, keys, put, ...rest } = await start();
    const event = eventOf(await put("images/deep/a.png", await picture(1)));
    const { fate, line } = await deliver({ store, keys, put, ...rest }, event);
    expect([fate, line["outcome"]]).toEqual(["acked", "explained"]);
    const found = await keys("explanations/");
    const stem = `explanations/images/deep/a.png/${String(line["id"]).slice(-64)}`;
    expect(found).toEqual([`${stem}.json`, `${stem}.npy`, `${stem}.overlay.png`]);
  });

  it("that is told of again, in any shape, is known", async () => {
    const made = await start();
    const upload = await made.put("images/a b+c.png", await picture(1));
    await deliver(made, eventOf(upload));
    const s3 = {
      Records: [
        {
          eventName: "ObjectCreated:Put",
          s3: { bucket: { name: "backlight" }, object: { key: "images/a+b%2Bc.png", eTag: upload.etag } },
        },
      ],
    };
    for (const again of [eventOf(upload), s3]) {
      const { fate, line } = await deliver(made, again);
      expect([fate, line["outcome"], line["key"]]).toEqual(["acked", "known", upload.key]);
    }
    expect(await made.keys("explanations/")).toHaveLength(3);
  });

  it("that was replaced or removed since is left to its own notification", async () => {
    const made = await start();
    const first = await made.put("images/a.png", await picture(1));
    const second = await made.put("images/a.png", await picture(2));
    expect((await deliver(made, eventOf(first))).line).toMatchObject({ outcome: "stale", why: "it was replaced" });
    expect((await deliver(made, eventOf(second))).line).toMatchObject({ outcome: "explained" });
    await made.store.delete("images/a.png");
    expect((await deliver(made, eventOf(second))).line).toMatchObject({ outcome: "stale", why: "it was removed" });
  });

  it("of what we write, of another bucket, or of no object triggers nothing", async () => {
    const made = await start();
    const upload = await made.put("images/a.png", await picture(1));
    await deliver(made, eventOf(upload));
    const before = await made.keys("");
    for (const key of before.filter((k) => !k.startsWith("images/"))) {
      expect((await deliver(made, eventOf({ key, etag: "x" }))).line).toMatchObject({ outcome: "ignored" });
    }
    const foreign = { ...eventOf(upload), bucket: "other" };
    expect((await deliver(made, foreign)).line).toMatchObject({ outcome: "ignored" });
    const deleted = { ...eventOf(upload), action: "DeleteObject" };
    expect((await deliver(made, deleted)).line).toMatchObject({ outcome: "ignored" });
    expect(await made.keys("")).toEqual(before);
  });

  it("that is no image is recorded with its reason and not tried again", async () => {
    const made = await start();
    const upload = await made.put("images/notes.png", new TextEncoder().encode("not a picture"));
    const { fate, line } = await deliver(made, eventOf(upload));
    expect([fate, line["outcome"], line["code"]]).toEqual(["acked", "refused", "image-unreadable"]);
    const [key = ""] = await made.keys("explanations/images/notes.png/");
    const found = await made.store.get(key);
    expect(found?.outcome === "found" && JSON.parse(await new Response(found.body).text())).toMatchObject({
      image: upload.key,
      etag: upload.etag,
      code: "image-unreadable",
      why: expect.stringContaining("image"),
    });
  });

  it("comes back later where the store fails, and disturbs no other of its batch", async () => {
    const made = await start({ wrap: failing("images/bad.png") });
    const [bad, good] = [
      await made.put("images/bad.png", await picture(1)),
      await made.put("images/good.png", await picture(2)),
    ];
    const batch = [message(eventOf(bad)), message(eventOf(good))];
    await consumeUploads(batch, made.deps);
    expect(batch.map(({ fate }) => fate)).toEqual([expect.any(Number), "acked"]);
    expect(made.lines.map((l) => l["outcome"])).toEqual(["later", "explained"]);
  });

  it("that failed too often is tried a last time and then recorded with its reason", async () => {
    const made = await start({ wrap: failing("images/bad.png") });
    const upload = await made.put("images/bad.png", await picture(1));
    const dead = message(eventOf(upload));
    await consumeDeadLetters([dead], made.deps);
    expect([dead.fate, made.lines.at(-1)]).toEqual(["acked", expect.objectContaining({ outcome: "given up" })]);
    expect(await made.keys("explanations/images/bad.png/")).toEqual([expect.stringContaining(".failure.json")]);
    const well = await made.put("images/well.png", await picture(3));
    const late = message(eventOf(well));
    await consumeDeadLetters([late], made.deps);
    expect(made.lines.at(-1)).toMatchObject({ outcome: "explained" });
  });

  it("message that nobody understands is kept with what was wrong with it", async () => {
    const made = await start();
    for (const body of ["text", null, { bucket: 1 }, { action: "PutObject", bucket: "backlight" }, { Records: [{}] }]) {
      expect(await deliver(made, body)).toMatchObject({
        fate: "acked",
        line: { outcome: "refused", code: "request-invalid" },
      });
    }
    expect(await made.keys("failures/")).toHaveLength(5);
  });

  it("is retried with growing pauses that end at ten minutes", () => {
    const pauses = [1, 2, 3, 8, 50].map((attempts) => pause(attempts, () => 1));
    expect(pauses).toEqual([5, 10, 20, 600, 600]);
    expect(pause(3, () => 0)).toBe(10);
  });
});
