import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { type ConfigurationSchemas, type Override, readConfiguration } from './configuration.ts'
import { problemSentence } from './problem.ts'
import { duration } from './schema/crd-fields.ts'

const schemas: ConfigurationSchemas = {
  sections: { arbiter: z.strictObject({ freeze: z.boolean().default(false), mergeWindow: duration().default('60s') }) },
  capabilities: {
    deschedule: z.strictObject({ interval: duration().default('5m') }),
    reload: z.strictObject({ debounce: duration().default('2s'), namespaces: z.array(z.enum(['a', 'b'])).default([]) }),
  },
}
const head = 'apiVersion: ballast.dev/v1alpha1\nkind: BallastConfiguration\n'

const read = (text: string, overrides: readonly Override[] = []) =>
  readConfiguration({ file: 'config.yaml', text, overrides }, schemas)

/** The problems as people see them, or `fine`. */
function sentences(text: string, overrides: readonly Override[] = []): readonly string[] | 'fine' {
  const result = read(text, overrides)
  return result.ok ? 'fine' : result.problems.map(problemSentence)
}

test('an empty file is all defaults', () => {
  const result = read('')
  expect(result).toMatchObject({
    ok: true,
    configuration: {
      process: { logLevel: 'info', kubeApiQPS: 200, gracefulShutdownTimeout: '30s' },
      sections: { arbiter: { freeze: false, mergeWindow: '60s' } },
      capabilities: { deschedule: { enabled: false, interval: '5m', guardLease: { enabled: true } }, reload: { enabled: false } },
    },
  })
})

test('what the file says holds', () => {
  const text = `${head}process: {logLevel: debug}\narbiter: {freeze: true}\ncapabilities: {deschedule: {enabled: true, arbitration: enforce}}\n`
  expect(read(text)).toMatchObject({
    ok: true,
    configuration: {
      process: { logLevel: 'debug', kubeApiBurst: 500 },
      sections: { arbiter: { freeze: true } },
      capabilities: { deschedule: { enabled: true, arbitration: 'enforce' } },
    },
  })
})

test('flags win over the environment, both over the file, key by key', () => {
  const overrides = [
    { path: ['process', 'logLevel'], value: 'warn', where: 'BALLAST_LOG_LEVEL' },
    { path: ['process', 'logLevel'], value: 'error', where: '--log-level' },
    { path: ['capabilities', 'reload', 'enabled'], value: true, where: '--enable' },
  ]
  expect(read(`${head}process: {logLevel: debug, kubeApiBurst: 7}\n`, overrides)).toMatchObject({
    ok: true,
    configuration: {
      process: { logLevel: 'error', kubeApiBurst: 7 },
      capabilities: { reload: { enabled: true, debounce: '2s' } },
    },
  })
})

describe('problems', () => {
  // biome-ignore format: a table
  test.each([
    ['a key one letter off', `${head}process: {logLevl: debug}`, ['config.yaml: process: found "logLevl", expected a known key; did you mean "logLevel"? [unknown-key]']],
    ['a section one letter off', `${head}arbitr: {}`, ['config.yaml: found "arbitr", expected a known key; did you mean "arbiter"? [unknown-key]']],
    ['an unknown capability', `${head}capabilities: {deshedule: {}}`, ['config.yaml: capabilities: found "deshedule", expected a known key; did you mean "deschedule"? [unknown-key]']],
    ['a wrong type', `${head}process: {kubeApiBurst: many}`, ['config.yaml: process: kubeApiBurst: found "many", expected a number [wrong-type]']],
    ['a value beyond its bounds', `${head}process: {webhookPort: 70000}`, ['config.yaml: process: webhookPort: found "70000", expected at most 65535 [wrong-value]']],
    ['a word one letter off', `${head}process: {watchList: atuo}`, ['config.yaml: process: watchList: found "atuo", expected one of "auto", "off"; did you mean "auto"? [wrong-value]']],
    ['a Lease shorter than its renewal', `${head}process: {leaderElectLeaseDuration: 9s}`, ['config.yaml: process: leaderElectLeaseDuration: found "9s", expected longer than leaderElectRenewDeadline [wrong-value]']],
    ['a duration in days', `${head}capabilities: {reload: {debounce: 2d}}`, ['config.yaml: capabilities.reload: debounce: found']],
    ['another kind', 'apiVersion: v1\nkind: Pod\n', ['config.yaml: apiVersion: found "v1", expected "ballast.dev/v1alpha1" [configuration-kind]', 'config.yaml: kind: found "Pod"']],
    ['several at once', `${head}process: {logLevl: x, webhookPort: -1}\ncapabilities: {reload: {enabled: 1}}`, ['config.yaml: process: webhookPort', 'config.yaml: process: found "logLevl"', 'config.yaml: capabilities.reload: enabled: found "1", expected a boolean [wrong-type]']],
    ['no YAML', `${head}process: {`, ['config.yaml:3']],
    ['the same key twice', `${head}process: {}\nprocess: {}\n`, ['config.yaml:4']],
    ['a list', '- a', ['config.yaml: found']],
    ['a list of capabilities', `${head}capabilities: [reload]`, ['config.yaml: capabilities: found "[\\"reload\\"]", expected an object [wrong-type]']],
  ])('%s', (_case, text, expected) => {
    const found = sentences(text)
    expect(found).toHaveLength(expected.length)
    for (const beginning of expected) expect(found).toContainEqual(expect.stringContaining(beginning))
  })

  test('a wrong flag is told of the flag', () => {
    const overrides = [{ path: ['process', 'logLevel'], value: 'loud', where: '--log-level' }]
    expect(sentences('', overrides)).toEqual([
      '--log-level: found "loud", expected one of "debug", "info", "warn", "error" [wrong-value]',
    ])
  })

  test('a flag whose value is a list is told of its entries', () => {
    const overrides = [{ path: ['capabilities', 'reload', 'namespaces'], value: ['a', 'x'], where: '--namespaces' }]
    expect(sentences('', overrides)).toEqual(['--namespaces: found "x", expected one of "a", "b" [wrong-value]'])
  })

  test('a bomb of aliases is refused', () => {
    const bomb = `a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [${'*a,'.repeat(10)}]\nc: &c [${'*b,'.repeat(10)}]\nd: [${'*c,'.repeat(10)}]\n`
    expect(sentences(bomb)).toContainEqual(expect.stringContaining('[configuration-yaml]'))
  })

  test('a key called __proto__ is a key like any other', () => {
    expect(sentences(`${head}__proto__: {polluted: true}\n`)).toContainEqual(expect.stringContaining('found "__proto__"'))
    expect({}).not.toHaveProperty('polluted')
  })
})
