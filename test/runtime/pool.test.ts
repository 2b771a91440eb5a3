/**
 * @file The session pool: budget, order, sharing and cancellation. Sessions are plain objects; engines are in
 * web.test.ts.
 */
import { describe, expect, it } from "vitest";
import { AppError } from "../../shared/errors.ts";
import { type PoolEvent, SessionPool, type Sized } from "../../shared/runtime/pool.ts";
import type { Session } from "../../shared/runtime/runtime.ts";

interface Made {
  readonly sized: Sized;
  readonly released: () => boolean;
}

/** A session that computes nothing and says whether it was released. */
function make(bytes: number): Made {
  let released = false;
  const session: Session = {
    inputs: [],
    outputs: [],
    run: async () => ({}),
    release: async () => {
      released = true;
    },
  };
  return { sized: { session, bytes }, released: () => released };
}

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const nothing = async (): Promise<void> => {};

function deferred(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve = (): void => {};
  const promise = new Promise<void>((r) => {
    resolve = r;
  });
  return { promise, resolve };
}

describe("the session pool", () => {
  it("makes a session once, however many ask for it at the same time", async () => {
    const pool = new SessionPool({ bytesMax: 100 });
    let made = 0;
    const maker = async (): Promise<Sized> => {
      made += 1;
      await settle();
      return make(10).sized;
    };
    const sessions: Session[] = [];
    await Promise.all([1, 2, 3].map(() => pool.use("a", maker, async (session) => void sessions.push(session))));
    expect(made).toBe(1);
    expect(new Set(sessions).size).toBe(1);
  });

  it("releases the session used longest ago when the budget is exceeded", async () => {
    const pool = new SessionPool({ bytesMax: 25 });
    const [a, b, c] = [make(10), make(10), make(10)];
    await pool.use("a", async () => a.sized, nothing);
    await pool.use("b", async () => b.sized, nothing);
    await pool.use("a", async () => make(1).sized, nothing);
    await pool.use("c", async () => c.sized, nothing);
    await settle();
    expect(pool.keys).toEqual(["a", "c"]);
    expect([a.released(), b.released(), c.released()]).toEqual([false, true, false]);
    expect(pool.bytes).toBe(20);
  });

  it("keeps one session that alone exceeds the budget until another is asked for", async () => {
    const pool = new SessionPool({ bytesMax: 25 });
    const [huge, small] = [make(1000), make(10)];
    await pool.use("huge", async () => huge.sized, nothing);
    await settle();
    expect(huge.released()).toBe(false);
    await pool.use("small", async () => small.sized, nothing);
    await settle();
    expect(huge.released()).toBe(true);
    expect(pool.keys).toEqual(["small"]);
  });

  it("makes room before it makes a session whose cost is known", async () => {
    const log: string[] = [];
    const pool = new SessionPool({
      bytesMax: 25,
      onEvent: ({ kind, key }) => void (kind === "released" && log.push(`${key} released`)),
    });
    const maker = (key: string, bytes: number) => async (): Promise<Sized> => {
      log.push(`${key} made`);
      return make(bytes).sized;
    };
    await pool.use("a", maker("a", 10), nothing, undefined, 10);
    await pool.use("b", maker("b", 10), nothing, undefined, 10);
    await pool.use("c", maker("c", 20), nothing, undefined, 20);
    expect(log).toEqual(["a made", "b made", "a released", "b released", "c made"]);
    expect(pool.keys).toEqual(["c"]);
  });

  it("never releases a session that is running", async () => {
    const pool = new SessionPool({ bytesMax: 5 });
    const [a, b] = [make(10), make(10)];
    const gate = deferred();
    const running = pool.use(
      "a",
      async () => a.sized,
      () => gate.promise,
    );
    const next = pool.use("b", async () => b.sized, nothing);
    await settle();
    expect(a.released()).toBe(false);
    gate.resolve();
    await Promise.all([running, next]);
    await settle();
    expect(a.released()).toBe(true);
  });

  it("runs one caller at a time, in the order they came", async () => {
    const pool = new SessionPool({ bytesMax: 100 });
    const log: string[] = [];
    const user = (name: string) => async (): Promise<void> => {
      log.push(`${name} begins`);
      await settle();
      log.push(`${name} ends`);
    };
    await Promise.all([
      pool.use("a", async () => make(1).sized, user("first")),
      pool.use("b", async () => make(1).sized, user("second")),
      pool.use("a", async () => make(1).sized, user("third")),
    ]);
    expect(log).toEqual(["first begins", "first ends", "second begins", "second ends", "third begins", "third ends"]);
  });

  it("lets a caller who waits give up, and serves those behind it", async () => {
    const pool = new SessionPool({ bytesMax: 100 });
    const gate = deferred();
    const cancel = new AbortController();
    const ran: string[] = [];
    const first = pool.use(
      "a",
      async () => make(1).sized,
      () => gate.promise,
    );
    const second = pool.use("a", nothingMade, async () => void ran.push("second"), cancel.signal);
    const third = pool.use("a", nothingMade, async () => void ran.push("third"));
    await settle();
    cancel.abort();
    await expect(second).rejects.toMatchObject({ code: "cancelled" });
    expect(ran).toEqual([]); // the first still runs: giving up must not let the third overtake it
    gate.resolve();
    await Promise.all([first, third]);
    expect(ran).toEqual(["third"]);
  });

  it("does not cancel a make that others wait for", async () => {
    const pool = new SessionPool({ bytesMax: 100 });
    const gate = deferred();
    const cancel = new AbortController();
    const maker = async (): Promise<Sized> => {
      await gate.promise;
      return make(1).sized;
    };
    const gaveUp = pool.use("a", maker, nothing, cancel.signal);
    const stays = pool.use("a", nothingMade, async () => "served");
    cancel.abort();
    await expect(gaveUp).rejects.toMatchObject({ code: "cancelled" });
    gate.resolve();
    expect(await stays).toBe("served");
  });

  it("forgets a make that failed, so that the next caller tries anew", async () => {
    const pool = new SessionPool({ bytesMax: 100 });
    const refuse = async (): Promise<Sized> => {
      throw new AppError("runtime-failed", "no");
    };
    await expect(pool.use("a", refuse, nothing)).rejects.toMatchObject({ code: "runtime-failed" });
    expect(
      await pool.use(
        "a",
        async () => make(1).sized,
        async () => "served",
      ),
    ).toBe("served");
  });

  it("goes on after a run that failed", async () => {
    const pool = new SessionPool({ bytesMax: 100 });
    const fail = pool.use(
      "a",
      async () => make(1).sized,
      async () => {
        throw new RangeError("bad feeds");
      },
    );
    const next = pool.use("a", nothingMade, async () => "served");
    await expect(fail).rejects.toThrow("bad feeds");
    expect(await next).toBe("served");
  });

  it("tells what it does", async () => {
    const events: PoolEvent[] = [];
    const pool = new SessionPool({ bytesMax: 100, onEvent: (event) => events.push(event) });
    await pool.use("a", async () => make(1).sized, nothing);
    await pool.use("a", nothingMade, nothing);
    await pool.close();
    await settle();
    expect(events.map((e) => e.kind)).toEqual(["creating", "created", "running", "reused", "running", "released"]);
  });

  it("releases everything when closed", async () => {
    const pool = new SessionPool({ bytesMax: 100 });
    const [a, b] = [make(1), make(1)];
    await pool.use("a", async () => a.sized, nothing);
    await pool.use("b", async () => b.sized, nothing);
    await pool.close();
    await settle();
    expect([a.released(), b.released()]).toEqual([true, true]);
    await expect(pool.use("a", nothingMade, nothing)).rejects.toThrow("closed");
  });
});

/** For keys that are held already: being called is the failure. */
async function nothingMade(): Promise<Sized> {
  throw new TypeError("this session should have been there");
}
