import { describe, expect, test } from 'vitest'
import { defaultOwnerLabel } from '#cluster/ownership.ts'
import { readConfiguration } from '#kube/configuration.ts'
import { problemSentence } from '#kube/problem.ts'
import { checkAgainst } from '#kube/schema/schema-problems.ts'
import { defaultPolicy } from '../policy/arbiter-policy.ts'
import { arbiterConfiguration, arbiterPolicyOf } from './arbiter-configuration.ts'

const schema = arbiterConfiguration(['deschedule', 'isolate', 'reload'])
const minute = 60_000
const hour = 60 * minute

function policyOf(section: unknown) {
  const checked = checkAgainst(schema, section, 'arbiter')
  if (!checked.ok) throw new Error(checked.problems.map(problemSentence).join('\n'))
  return arbiterPolicyOf(checked.value)
}

/** What is wrong with the section `yaml`, as people read it. */
function problemsOf(yaml: string): readonly string[] {
  const text = `apiVersion: ballast.dev/v1alpha1\nkind: BallastConfiguration\narbiter: ${yaml}\n`
  const read = readConfiguration({ file: 'config.yaml', text }, { sections: { arbiter: schema }, capabilities: {} })
  return read.ok ? [] : read.problems.map(problemSentence)
}

test('an empty section is the policy of the design', () => {
  expect(policyOf({})).toEqual({ policy: defaultPolicy, ownerLabel: defaultOwnerLabel })
})

test('every key changes what it says', () => {
  const { policy, ownerLabel } = policyOf({
    freeze: 'holidays',
    mergeWindow: '90s',
    ownerLabel: 'example.com/owner',
    ownerValues: { keda: 'scaled', none: 'keda' },
    caps: { concurrent: 4, perHour: 60, perNamespace: 3, perSourceNode: 4, perDestination: 5 },
    cooldowns: {
      availability: '1h',
      balance: '24h',
      scale: '5m',
      reverseMove: '48h',
      quarantine: '10m',
      longestQuarantine: '1h',
    },
    gates: { apiSlow: false, usageStale: false },
  })
  expect(ownerLabel).toEqual({ key: 'example.com/owner', values: { keda: 'scaled', descheduler: 'descheduler', none: 'keda' } })
  expect(policy).toMatchObject({
    freeze: 'holidays',
    mergeWindowMs: 90_000,
    caps: { concurrent: 4, perHour: 60, perNamespace: 3, perSourceNode: 4, perDestination: 5 },
    coolDownMs: { availability: hour, capacity: 15 * minute, balance: 24 * hour },
    scaleCoolDownMs: 5 * minute,
    reverseMoveMs: 48 * hour,
    quarantine: { firstMs: 10 * minute, longestMs: hour },
  })
  expect([...policy.gates]).toEqual(['pending-pods', 'node-not-ready', 'kubelet-versions', 'foreign-drain'])
})

describe('the windows of a capability', () => {
  const at = (time: string) => Date.parse(`2026-03-02T${time}Z`)
  const windows = policyOf({ windows: { deschedule: ['0 4 * * *;2h;UTC', '30 22 * * *;1h'] } }).policy.windows['deschedule'] ?? []

  // biome-ignore format: a table
  test.each<[string, readonly boolean[]]>([
    ['03:59:59', [false, false]],
    ['04:00:00', [true, false]],
    ['05:59:59', [true, false]],
    ['06:00:00', [false, false]],
    ['22:30:00', [false, true]],
    ['03:00:00', [false, false]], // back in time: what is remembered is not used for it
    ['04:30:00', [true, false]],
  ])('at %s', (time, open) => {
    expect(windows.map(window => window.openAt(at(time)) !== undefined)).toEqual(open)
  })

  test('say when they open next', () => {
    expect(windows.map(window => window.nextAfter(at('05:00:00'))?.startMs)).toEqual([at('04:00:00') + 24 * hour, at('22:30:00')])
    expect(windows.map(window => window.nextAfter(at('23:00:00'))?.startMs)).toEqual([
      at('04:00:00') + 24 * hour,
      at('22:30:00') + 24 * hour,
    ])
  })
})

describe('bad input is named with its path and what would be right', () => {
  // biome-ignore format: a table
  test.each<[string, readonly string[]]>([
    ['{frezze: true}',                              ['config.yaml: arbiter: found "frezze", expected a known key; did you mean "freeze"? [unknown-key]']],
    ['{caps: {perHours: 3}}',                       ['config.yaml: arbiter: caps: found "perHours", expected a known key; did you mean "perHour"? [unknown-key]']],
    ['{caps: {perHour: 0}}',                        ['config.yaml: arbiter: caps.perHour: found "0", expected at least 1 [wrong-value]']],
    ['{caps: {concurrent: 1.5}}',                   ['config.yaml: arbiter: caps.concurrent: found "1.5", expected an int [wrong-type]']],
    ['{cooldowns: {balance: NaN}}',                 ['config.yaml: arbiter: cooldowns.balance: found "NaN", expected a duration such as "1h30m" [wrong-value]']],
    ['{cooldowns: {balance: .nan}}',                ['config.yaml: arbiter: cooldowns.balance: found "null", expected a string [wrong-type]']],
    ['{cooldowns: {cost: -5m}}',                    ['config.yaml: arbiter: cooldowns.cost: found "-5m", expected a duration from 0s to 8784h [wrong-value]']],
    ['{mergeWindow: 60}',                           ['config.yaml: arbiter: mergeWindow: found "60", expected a string [wrong-type]']],
    ['{mergeWindow: 90000h}',                       ['config.yaml: arbiter: mergeWindow: found "90000h", expected a duration from 0s to 8784h [wrong-value]']],
    ['{gates: {apislow: false}}',                   ['config.yaml: arbiter: gates: found "apislow", expected a known key; did you mean "apiSlow"? [unknown-key]']],
    ['{windows: {desschedule: []}}',                ['config.yaml: arbiter: windows: found "desschedule", expected a known key; did you mean "deschedule"? [unknown-key]']],
    ['{windows: {deschedule: ["0 4 * * *"]}}',      ['config.yaml: arbiter: windows.deschedule[0]: found "0 4 * * *", expected CRON;DURATION;ZONE, such as "0 4 * * *;2h;Europe/Berlin" [wrong-value]']],
    ['{windows: {deschedule: ["0 4 * * *;2h;Mars/Base"]}}', ['config.yaml: arbiter: windows.deschedule[0]: found "0 4 * * *;2h;Mars/Base", expected a time zone such as "Europe/Berlin" [wrong-value]']],
    ['{ownerLabel: "not a key"}',                   ['config.yaml: arbiter: ownerLabel: found "not a key", expected the key of a label such as "ballast.dev/managed-by" [wrong-value]']],
    ['{ownerValues: {kedda: x}}',                   ['config.yaml: arbiter: ownerValues: found "kedda", expected a known key; did you mean "keda"? [unknown-key]']],
    ['{ownerValues: {keda: none}}',                 ['config.yaml: arbiter: ownerValues: found "{\\"keda\\":\\"none\\"}", expected a value of its own for each: keda and none have both "none" [wrong-value]']],
    ['{ownerValues: {keda: x, descheduler: x, none: x}}', [
      'config.yaml: arbiter: ownerValues: found "{\\"keda\\":\\"x\\",\\"descheduler\\":\\"x\\",\\"none\\":\\"x\\"}", expected a value of its own for each: keda and descheduler have both "x" [wrong-value]',
      'config.yaml: arbiter: ownerValues: found "{\\"keda\\":\\"x\\",\\"descheduler\\":\\"x\\",\\"none\\":\\"x\\"}", expected a value of its own for each: keda and none have both "x" [wrong-value]']],
    ['{ownerLabel: /, ownerValues: {keda: "", descheduler: "two words", none: 3}}', [
      'config.yaml: arbiter: ownerLabel: found "/", expected the key of a label such as "ballast.dev/managed-by" [wrong-value]',
      'config.yaml: arbiter: ownerValues.keda: found "", expected the value of a label such as "keda" [wrong-value]',
      'config.yaml: arbiter: ownerValues.descheduler: found "two words", expected the value of a label such as "descheduler" [wrong-value]',
      'config.yaml: arbiter: ownerValues.none: found "3", expected a string [wrong-type]']],
    ['{freeze: 3, mergeWindow: soon}',              [
      'config.yaml: arbiter: freeze: found "3", expected a boolean or a string [wrong-type]',
      'config.yaml: arbiter: mergeWindow: found "soon", expected a duration such as "1h30m" [wrong-value]']],
  ])('%s', (yaml, expected) => expect(problemsOf(yaml)).toEqual(expected))

  test('a window of a megabyte is refused at once', () => {
    const [problem = ''] = problemsOf(`{windows: {deschedule: ["${'* '.repeat(500_000)};2h"]}}`)
    expect(problem).toContain('windows.deschedule[0]')
    expect(problem.length).toBeLessThan(400)
  })
})
