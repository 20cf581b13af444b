import { beforeAll, expect, test } from 'vitest'
import { buildClusterState } from '#cluster/cluster-state.ts'
import { defaultSettings } from '#cluster/scheduler-settings.ts'
import { explainPod } from './explain.ts'
import { policyWithDefaults } from './goals/policy.ts'
import { makePlan, type PlanInput } from './plan.ts'
import { type Plan, stayCodes } from './plan-record.ts'
import { explanationLines, remedySentence, staySentence } from './sentences.ts'
import { workload } from './testdata/objects.ts'
import { referenceCluster } from './testdata/reference-cluster.ts'

let input: PlanInput
let plan: Plan

beforeAll(async () => {
  const common = { resource: 'cpu', stat: 'requests', margin: 1, hard: false } as const
  const goals = [
    { ...common, name: 'cp-light', nodes: ['talos00'], max: 70 },
    { ...common, name: 'use-talos03', nodes: ['talos03'], min: 30 },
  ]
  const objects = [
    ...referenceCluster(),
    ...workload('shop/ended', { on: ['talos01'], podStatus: { phase: 'Succeeded' } }),
    ...workload('shop/waiting', { on: [''] }),
  ]
  input = {
    state: buildClusterState(objects).state,
    policy: policyWithDefaults({ name: 'p', objective: 'moves', method: 'greedy', goals }),
    settings: defaultSettings('1.34'),
    nowMs: 0,
  }
  plan = await makePlan(input, () => Promise.reject(new Error('greedy asks no solver')), new AbortController().signal)
})

const about = (pod: string) => explainPod(input, plan, pod).join('\n')

test('a pod that moves: where to, for which goal, with what room and budget', () => {
  const move = plan.moves.find(each => each.action === 'evict' && each.from === 'talos00')
  const text = about(`${move?.pod.namespace}/${move?.pod.name}`)
  expect(text).toContain(`moves from talos00 to talos03 as ${move?.id} of wave ${move?.wave}: it is evicted`)
  expect(text).toContain('goal cp-light: talos00 cpu requests below 70 %')
  expect(text).toContain(`cpu ${move?.certificate.requests['cpu']}m of ${move?.certificate.freeBefore['cpu']}m free`)
  expect(text).toContain(`PodDisruptionBudget ${move?.workload.name} allows`)
})

// biome-ignore format: a table
test.each([
  ['registry/nexus-0',               'its volume nexus-local cannot leave talos01 [VolumePinned:nexus-local]'],
  ['registry/nexus-0',               'what would change that: move the data of nexus-local'],
  ['media/sonarr-abcde12345-xxxx0',  'KEDA scales its workload (by the label of the workload) [KedaManaged]'],
  ['media/tdarr-abcde12345-xxxx0',   'what would change that: set scaling.talos.io/managed-by=descheduler on its workload'],
  ['kube-system/cilium-xxxx0',       'also: its DaemonSet runs one on each node [DaemonSet]'],
  ['kube-system/cilium-xxxx0',       'nothing would make it movable'],
  ['media/immich-ml-abcde12345-xxxx0', 'it may be moved, but the goals are met without it'],
  ['shop/none',                      'there is no such pod'],
  ['shop/ended-abcde12345-xxxx0',    'has ended (Succeeded)'],
  ['shop/waiting-abcde12345-xxxx0',  'runs nowhere yet'],
])('%s: %s', (pod, expected) => {
  expect(about(pod)).toContain(expected)
})

test('what stays for two reasons is said with the one that nothing changes', () => {
  const cilium = plan.unmovable.find(each => each.pod.name.startsWith('cilium-xxxx'))
  expect(cilium && staySentence(cilium)).toBe(
    'neither it nor its workload or namespace has the label ballast.dev/managed-by or scaling.talos.io/managed-by, and its DaemonSet runs one on each node',
  )
})

test.each(stayCodes)('%s has words for people', code => {
  const data = new Proxy<Record<string, string>>({}, { get: (_, name) => String(name) })
  const sentences = [staySentence({ code, data }), remedySentence(code, data) ?? 'no remedy']
  for (const sentence of sentences) expect(sentence).toMatch(/^\w+ .{5,}$/)
  expect(sentences.join()).not.toContain('  ')
})

test('the report says how good the plan is', () => {
  expect(explanationLines(plan)[0]).toMatch(
    /^\d+ moves; (no plan( that keeps the margins)? has fewer|at least \d+ are needed( with the margins)?) \(count: \d+\)$/,
  )
})
