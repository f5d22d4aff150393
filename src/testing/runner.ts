/**
 * The two functions that a conformance suite needs from a test runner: those of vitest, node:test,
 * jest and mocha (`it`) all fit.
 */
export interface TestRunner {
  describe(name: string, body: () => void): unknown
  test: ((name: string, body: () => Promise<void>) => unknown) & {
    /**
     * Used for a test that is skipped by name; a runner without it gets an ordinary test that does
     * nothing and names the reason.
     */
    skip?(name: string, body: () => Promise<void>): unknown
  }
}

/** A group of tests by name. `needs` is what the subject must have for the group to run. */
export interface TestGroup<Context, Capability extends string> {
  readonly name: string
  readonly needs?: Capability
  readonly tests: Readonly<Record<string, (context: Context) => Promise<void>>>
}

export interface RegisterOptions<Context, Capability extends string> {
  readonly groups: readonly TestGroup<Context, Capability>[]
  readonly lacks: readonly Capability[]
  readonly skip: Readonly<Record<string, string>>
  run(body: (context: Context) => Promise<void>): Promise<void>
}

/**
 * Hands every test of every group to the runner. A name in `skip` that no test has becomes a
 * failing test, so that a deviation cannot outlive its test.
 */
export function registerGroups<Context, Capability extends string>(
  runner: TestRunner,
  options: RegisterOptions<Context, Capability>,
): void {
  const unknown = new Set(Object.keys(options.skip))
  for (const group of options.groups) {
    for (const name of Object.keys(group.tests)) unknown.delete(name)
    if (group.needs !== undefined && options.lacks.includes(group.needs)) continue
    runner.describe(group.name, () => {
      for (const [name, body] of Object.entries(group.tests)) {
        const reason = options.skip[name]
        if (reason === undefined) runner.test(name, () => options.run(body))
        else skipTest(runner, `${name} (skipped: ${reason})`)
      }
    })
  }
  runner.test('every skipped name is the name of a test', async () => {
    if (unknown.size > 0) throw new Error(`no such test: ${[...unknown].join('; ')}`)
  })
}

function skipTest(runner: TestRunner, name: string): void {
  const nothing = async () => {}
  if (runner.test.skip === undefined) runner.test(name, nothing)
  else runner.test.skip(name, nothing)
}
