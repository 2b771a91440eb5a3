/**
 * @file What of the platform's own module is used; its package declares it only for projects that have no DOM types.
 */
declare module "cloudflare:workers" {
  /** What a Workflow extends. */
  export abstract class WorkflowEntrypoint<Env> {
    protected readonly env: Env;
    constructor(ctx: unknown, env: Env);
  }
}
