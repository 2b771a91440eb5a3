/**
 * @file What an operator can set, by environment variable, on every platform alike. Reads and checks; decides nothing.
 */
import { type ApiKeys, parseApiKeys } from "../shared/access/api-keys.ts";
import { parseSigningKeys, type SigningKeys } from "../shared/access/signed-url.ts";
import { AppError } from "../shared/errors.ts";
import { parsePolicy, type UrlPolicy } from "../shared/fetching/policy.ts";
import { type QuestionWords, questionFields } from "../shared/pipeline/question.ts";
import type { S3Options } from "../shared/storage/s3.ts";

/** The environment: variables and secrets. */
export type Variables = Readonly<Record<string, unknown>>;

export interface Settings {
  /** What a question that does not say asks: BACKLIGHT_MODEL, BACKLIGHT_METHOD, BACKLIGHT_LAYERS … */
  readonly defaults: QuestionWords;
  /** The bucket's name, as notifications give it: BACKLIGHT_BUCKET. */
  readonly bucket: string;
  /** BACKLIGHT_S3_ENDPOINT, _REGION, _ACCESS_KEY_ID, _SECRET_ACCESS_KEY: storage is an S3 instead of the platform's. */
  readonly s3: S3Options | null;
  /** BACKLIGHT_ALLOWED_URLS. */
  readonly policy: UrlPolicy;
  /** BACKLIGHT_API_KEYS. */
  readonly apiKeys: ApiKeys;
  /** BACKLIGHT_SIGNING_KEYS. */
  readonly signingKeys: SigningKeys;
  /** BACKLIGHT_PUBLIC_READS: "true" lets anybody read and ask, within the rate limit. */
  readonly publicReads: boolean;
}

const defaultBucket = "backlight";

/** Throws `config-invalid`, naming the variable. */
export async function readSettings(variables: Variables): Promise<Settings> {
  const text = (name: string): string | undefined => {
    const value = variables[`BACKLIGHT_${name}`];
    return typeof value === "string" && value.trim() !== "" ? value.trim() : undefined;
  };
  const bucket = text("BUCKET") ?? defaultBucket;
  return {
    defaults: Object.fromEntries(
      questionFields.flatMap((field) => {
        const value = text(field.toUpperCase().replaceAll("-", "_"));
        return value === undefined ? [] : [[field, value] as const];
      }),
    ),
    bucket,
    s3: readS3(bucket, text),
    policy: parsePolicy(text("ALLOWED_URLS")),
    apiKeys: await parseApiKeys(text("API_KEYS")),
    signingKeys: await parseSigningKeys(text("SIGNING_KEYS")),
    publicReads: readFlag("PUBLIC_READS", text("PUBLIC_READS")),
  };
}

function readFlag(name: string, value: string | undefined): boolean {
  if (value === undefined || value === "false") return false;
  if (value === "true") return true;
  throw new AppError("config-invalid", `BACKLIGHT_${name} is "true" or "false", not "${value}"`, { name });
}

function readS3(bucket: string, text: (name: string) => string | undefined): S3Options | null {
  const [endpoint, region] = [text("S3_ENDPOINT"), text("S3_REGION")];
  const [accessKeyId, secretAccessKey] = [text("S3_ACCESS_KEY_ID"), text("S3_SECRET_ACCESS_KEY")];
  if (endpoint === undefined && region === undefined) return null;
  if ((accessKeyId === undefined) !== (secretAccessKey === undefined)) {
    throw new AppError(
      "config-invalid",
      "BACKLIGHT_S3_ACCESS_KEY_ID and BACKLIGHT_S3_SECRET_ACCESS_KEY belong together: one of them is not set",
    );
  }
  return {
    bucket,
    endpoint,
    region: region ?? "auto",
    ...(accessKeyId !== undefined &&
      secretAccessKey !== undefined && { credentials: { accessKeyId, secretAccessKey } }),
  };
}
