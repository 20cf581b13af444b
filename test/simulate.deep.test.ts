// `ballast simulate` as its user runs it: the example's scenarios, CI's exit codes, bytes that do not change.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { settingsForServer } from '#cluster/scheduler-settings.ts'
import { readScenario } from '#planning/simulation/read-scenario.ts'
import type { SimulationReport } from '#planning/simulation/report.ts'
import { simulate } from '#planning/simulation/simulate.ts'
import { readSource } from '../src/cli/source/source.ts'
import { runBallast } from './cli/run-ballast.ts'

const example = join(import.meta.dirname, '..', 'examples', 'talos-homelab')
const scenarios = join(example, 'scenarios')
const of = (name: string) => ['simulate', '--cluster', example, '--scenario', join(scenarios, name)]

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'ballast-simulate-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

function scenarioFile(text: string): string {
  const file = join(folder, `${readdirSync(folder).length}.yaml`)
  writeFileSync(file, text)
  return file
}

describe('case 3: talos00 tainted and emptied, free landing', () => {
  test.each([
    ['1.34', 18.6],
    ['1.36', 22],
  ])('on %s talos03 ends near %d %, over many draws', async (server, near) => {
    const read = readScenario('free-landing.yaml', readFileSync(join(scenarios, 'free-landing.yaml'), 'utf8'))
    if (!read.ok) throw new Error('the example has a scenario that does not read')
    const objects = readSource(join(example, 'cluster')).objects.map(({ object }) => object)
    const refused = { ok: false, problems: [] } as const
    const outside = {
      plan: async () => refused,
      isolation: async () => refused,
      objectsOf: () => [],
      settings: () => ({ settings: settingsForServer(server) }),
    }
    const shares: number[] = []
    for (let seed = 0; seed < 20; seed++) {
      const scenario = { ...read.scenario, seed }
      const report = await simulate(
        { objects, scenario, settings: settingsForServer(server), server, watts: new Map(), outside },
        new AbortController().signal,
      )
      const [, last] = report.steps
      expect(last?.landings).toHaveLength(23)
      expect(report.goals.map(({ holds }) => holds)).toEqual([true, false])
      shares.push(last?.nodes.find(({ node }) => node === 'talos03')?.cpu.percent ?? Number.NaN)
    }
    const mean = shares.reduce((sum, share) => sum + share, 0) / shares.length
    expect(Math.abs(mean - near)).toBeLessThan(0.7)
    expect(Math.max(...shares)).toBeLessThan(25)
  })

  test('as a command it ends with 3 and says which goal does not hold; the same bytes each time', async () => {
    const first = await runBallast([...of('free-landing.yaml'), '-o', 'json'])
    expect([first.code, first.words]).toEqual([
      3,
      expect.stringMatching(/goal use-talos03 does not hold: talos03 has 1\d\.\d+ %/),
    ])
    const second = await runBallast([...of('free-landing.yaml'), '-o', 'json'])
    expect(second.output).toBe(first.output)
    const yaml = await runBallast([...of('free-landing.yaml'), '-o', 'yaml'])
    expect(parse(yaml.output)).toEqual(JSON.parse(first.output))
  })

  test('the server is an option, and so is the seed', async () => {
    const { output, code } = await runBallast([
      ...of('free-landing.yaml'),
      '-o',
      'json',
      '--server-version',
      '1.36',
      '--seed',
      '11',
    ])
    const report: SimulationReport = JSON.parse(output)
    expect([code, report.server, report.seed]).toEqual([3, '1.36', 11])
  })
})

test('the plan of the example, carried out: both goals hold, exit 0, drawn for who looks', async () => {
  const { code, output, words } = await runBallast(of('rebalance.yaml'))
  expect([code, words]).toEqual([0, ''])
  expect(output).toMatch(/^1\. applyPolicy: plan of talos: 15 moves$/m)
  expect(output).toMatch(/^talos03 +ready +█\+{5}░{14} +4 % -> 31 % +16 % -> 8\d % +9 -> 2\d$/m)
  expect(output).toMatch(/everything holds$/m)
})

test('a node switched off: who waits, and how many watts are left', async () => {
  const { code, output } = await runBallast(of('power-off-talos01.yaml'))
  expect(code).toBe(0)
  expect(output).toMatch(/^pending registry\/nexus-0: 0\/4 nodes are available: /m)
  expect(output).toMatch(/^talos01 +off .* 1 W$/m)
})

test('a scenario that is wrong ends with 2, every mistake with its line', async () => {
  const file = scenarioFile('steps:\n- evit: {node: talos00}\n- taint: {node: talos00, key: k, effect: Never}\n')
  const { code, words, output } = await runBallast(['simulate', '--cluster', example, '--scenario', file])
  expect([code, output]).toEqual([2, ''])
  expect(words).toContain(`${file}: line 2: steps[0].evit: found "evit", expected an operation: evict`)
  expect(words).toContain(`${file}: line 3: steps[1].taint.effect`)
})

// biome-ignore format: a table
test.each([
  ['a policy that is not there', 'steps:\n- applyPolicy: {policy: none}\n', 'line 2: steps[0].applyPolicy.policy: policy: found "no RebalancePolicy none'],
  ['a file that is not there', 'steps:\n- apply: {file: none.yaml}\n', 'line 2: steps[0].apply.file: found "ENOENT'],
  ['a configuration that is none', 'steps:\n- schedulerConfig: {configuration: {kind: Pod}}\n', 'line 2: steps[0].schedulerConfig.configuration: '],
  ['an isolation of nothing', 'steps:\n- isolate: {node: none}\n', 'line 2: steps[0].isolate.node: found "none"'],
])('%s ends with 2', async (_what, text, said) => {
  const { code, words } = await runBallast(['simulate', '--cluster', example, '--scenario', scenarioFile(text)])
  expect([code, words]).toEqual([2, expect.stringContaining(said)])
})

test('no scenario, none that can be read, and two things from standard input end with 2', async () => {
  const ends = await Promise.all([
    runBallast(['simulate', '--cluster', example]),
    runBallast(['simulate', '--cluster', example, '--scenario', join(folder, 'none.yaml')]),
    runBallast(['simulate', '--cluster', '-', '--scenario', '-']),
    runBallast(
      ['simulate', '--cluster', example, '--scenario', '-', '--server-version', 'new'],
      'steps: [{cordon: {node: talos00}}]',
    ),
  ])
  expect(ends.map(({ code }) => code)).toEqual([2, 2, 2, 2])
})

test('steps with policies and files: isolation, a manifest beside the scenario, another scheduler', async () => {
  writeFileSync(
    join(folder, 'web.json'),
    JSON.stringify({
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'web', namespace: 'scratch' },
      spec: {
        replicas: 2,
        selector: { matchLabels: { app: 'web' } },
        template: {
          metadata: { labels: { app: 'web' } },
          spec: { containers: [{ name: 'web', resources: { requests: { cpu: '250m' } } }] },
        },
      },
    }),
  )
  const text = [
    'steps:',
    '- isolate: {node: talos00, keda: evict, landing: hold}',
    '  expect: [{moves: 23}, {node: talos00, resource: pods, below: 33}, {refusals: 0}]',
    '- schedulerConfig: {configuration: {apiVersion: kubescheduler.config.k8s.io/v1, kind: KubeSchedulerConfiguration, profiles: [{pluginConfig: [{name: NodeResourcesFit, args: {scoringStrategy: {type: MostAllocated, resources: [{name: cpu, weight: 1}]}}}]}]}}',
    '- apply: {file: web.json}',
    '  expect: [{pending: 0}]',
  ].join('\n')
  const { code, output, words } = await runBallast([
    'simulate',
    '--cluster',
    example,
    '--scenario',
    scenarioFile(text),
    '-o',
    'json',
    '--explain',
    'simulator',
  ])
  const report: SimulationReport = JSON.parse(output)
  expect([code, words]).toEqual([0, ''])
  expect(report.steps[0]?.nodes[0]).toMatchObject({ node: 'talos00', pods: 36 })
  expect(report.steps[0]?.plan).toMatchObject({ moves: 23, elsewhere: 0, landing: 'hold' })
  expect(Object.keys(report.steps[2]?.landings[0]?.annotations ?? {})).toHaveLength(4)
})
