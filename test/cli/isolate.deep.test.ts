// `ballast isolate` as its user runs it: on paper, as files, against a live cluster.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { hostClock, systemClock } from '#kube/clock.ts'
import { silentLog } from '#kube/log.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { startEmbeddedCluster } from '../../src/cli/up/embedded-cluster.ts'
import { homelabFolder, labelled } from '../homelab-states.ts'
import { runBallast } from './run-ballast.ts'

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'ballast-isolate-cli-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

function fileOf(name: string, objects: readonly KubeObject[]): string {
  const file = join(folder, name)
  writeFileSync(file, JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }))
  return file
}

interface Document {
  readonly exitCode: number
  readonly outcome: string
  readonly moves: readonly { readonly from: string }[]
  readonly stages: readonly {
    readonly stage: string
    readonly state: string
    readonly blocked: readonly { readonly reason: string }[]
  }[]
  readonly after: readonly { readonly node: string; readonly resource: string; readonly used: number }[]
}

const cordoned = (names: readonly string[]) =>
  labelled().map(object =>
    object.kind === 'Node' && names.includes(object.metadata.name) ? { ...object, spec: { unschedulable: true } } : object,
  )

/** argocd as its chart has it: no toleration in the template. */
const withoutToleration = () =>
  labelled().map((object): KubeObject => {
    if (object.kind !== 'Deployment' || object.metadata.name !== 'argocd') return object
    const spec = object['spec'] as { readonly template: { readonly spec: object } }
    return { ...object, spec: { ...spec, template: { ...spec.template, spec: { ...spec.template.spec, tolerations: [] } } } }
  })

/** The same, and its pods were made by that template. */
const withoutTolerationOfPods = () =>
  withoutToleration().map((object): KubeObject => {
    if (object.kind !== 'Pod' || object.metadata.namespace !== 'argocd') return object
    const spec: object = typeof object['spec'] === 'object' && object['spec'] !== null ? object['spec'] : {}
    return { ...object, spec: { ...spec, tolerations: [] } }
  })

describe('on paper', () => {
  test('H4: 23 moves leave 36 pods on talos00, both goals met', async () => {
    const { code, output } = await runBallast(['isolate', 'talos00', '--cluster', homelabFolder, '--keda', 'evict', '-o', 'json'])
    const document = JSON.parse(output) as Document
    expect([code, document.exitCode, document.outcome, document.moves.length]).toEqual([0, 0, 'met', 23])
    const used = (resource: string) => document.after.find(one => one.node === 'talos00' && one.resource === resource)?.used
    expect([used('cpu'), used('pods')]).toEqual([2555, 36])
    expect(document.stages.map(({ stage, state }) => `${stage} ${state}`)).toEqual([
      'Preflight ready',
      'Tolerations ready',
      'Taint waits',
      'Waves to do',
      'Verify ready',
    ])
  })

  test('the table says what would move where, what to know, and the way back', async () => {
    const { code, output } = await runBallast(['isolate', 'talos00', '--cluster', homelabFolder])
    expect(code).toBe(0)
    expect(output).toContain('20 moves in')
    expect(output).toContain('KEDA scales its workload')
    expect(output).toContain('DaemonSet monitoring/node-exporter: not core: its pod on talos00 stays')
    expect(output).toContain('the way back')
  })

  test('H6: argocd without its toleration: 3, with the patch', async () => {
    const { code, output } = await runBallast(['isolate', 'talos00', '--cluster', fileOf('argocd.json', withoutToleration())])
    expect(code).toBe(3)
    expect(output).toContain('Deployment argocd/argocd: its pods do not tolerate')
    expect(output).toContain('operator: Exists')
  })

  test('by webhook: which workloads would be rolled out for it, what the mode means, and no patch', async () => {
    const cluster = fileOf('bare.json', withoutTolerationOfPods())
    const args = ['isolate', 'talos00', '--cluster', cluster, '--tolerations', 'webhook', '--keda', 'evict']
    const { code, output } = await runBallast(args)
    expect(code).toBe(3)
    expect(output).toContain('1 of 15 core workloads lack the toleration')
    expect(output).toContain('rolled out for it, one by one: 1')
    expect(output).toContain('a core pod that is made while the controller is away lacks the toleration')
    expect(output).not.toContain('operator: Exists')
    const out = join(folder, 'webhook')
    const files = await runBallast([...args, '--out', out])
    expect(files.words).toContain('the webhook gives it to their pods once the policy is applied')
    expect(readdirSync(out).toSorted()).toEqual(['3-rebalance-policy.yaml', 'undo.txt'])
    expect(readFileSync(join(out, '3-rebalance-policy.yaml'), 'utf8')).toContain('tolerations: webhook')
  })

  test('no room: 4, with the row of talos01', async () => {
    const file = fileOf('cordoned.json', cordoned(['talos02-gpu', 'talos03']))
    const { code, output } = await runBallast(['isolate', 'talos00', '--cluster', file, '--keda', 'evict', '-o', 'yaml'])
    const document = parse(output) as Document
    expect(code).toBe(4)
    expect(document.stages[0]?.blocked.map(({ reason }) => reason)).toEqual(['Infeasible'])
    expect(output).toContain('talos01 0Mi')
  })

  // biome-ignore format: a table
  test.each<[string, readonly string[], string]>([
    ['a node that is not there', ['talos09', '--cluster', homelabFolder],                          'there are talos00, talos01'],
    ['apply without a cluster',  ['talos00', '--cluster', homelabFolder, '--apply'],               '--apply changes a live cluster'],
    ['two at once',              ['talos00', '--cluster', homelabFolder, '--abort', '--out', 'x'], 'exclude each other'],
    ['a policy that is absent',  ['talos00', '--cluster', homelabFolder, '--policy', 'other'],     'no RebalancePolicy other'],
    ['an exception of no kind',  ['talos00', '--cluster', homelabFolder, '--except', 'sonarr'],    'isolation-exception'],
  ])('refused: %s', async (_name, args, words) => {
    const ended = await runBallast(['isolate', ...args])
    expect(ended.code).toBe(2)
    expect(ended.words).toContain(words)
  })
})

describe('as files', () => {
  test("a Talos patch in the form of the user's own, and nothing is written over", async () => {
    const out = join(folder, 'talos')
    const args = ['isolate', 'talos00', '--cluster', homelabFolder, '--out', out]
    expect((await runBallast(args)).code).toBe(0)
    expect(readdirSync(out).toSorted()).toEqual([
      '2-taint-talos00.yaml',
      '3-rebalance-policy.yaml',
      'undo-taint-talos00.yaml',
      'undo.txt',
    ])
    expect(parse(readFileSync(join(out, '2-taint-talos00.yaml'), 'utf8'))).toMatchObject({
      machine: { nodeTaints: { 'node-role.kubernetes.io/control-plane': 'NoSchedule' } },
    })
    expect((await runBallast(args)).output).toContain('2-taint-talos00.yaml: unchanged')
    const other = await runBallast([...args, '--keda', 'evict'])
    expect(other.code).toBe(2)
    expect(other.words).toContain('3-rebalance-policy.yaml: there already, and different')
  })

  test('no taint while a toleration is missing', async () => {
    const out = join(folder, 'kubectl')
    const { code, words } = await runBallast([
      'isolate',
      'talos00',
      '--cluster',
      fileOf('a.json', withoutToleration()),
      '--out',
      out,
      '--format',
      'kubectl',
    ])
    expect(code).toBe(3)
    expect(words).toContain('Deployment argocd/argocd')
    expect(readdirSync(out).toSorted()).toEqual(['1-tolerations.yaml', '3-rebalance-policy.yaml', 'undo.txt'])
  })
})

describe('against a live cluster', () => {
  test('asked first, carried out, told, and taken back', async () => {
    const stop = new AbortController()
    await using cluster = await startEmbeddedCluster({
      // Nothing goes to zero meanwhile: how many pods there are to move would follow from the machine's load.
      objects: labelled().filter(({ kind }) => kind !== 'ScaledObject'),
      clock: hostClock({ speed: 20 }),
      leaseClock: systemClock,
      seed: 1,
      listen: { port: 0, bind: '127.0.0.1' },
      log: silentLog,
      signal: stop.signal,
    })
    const kubeconfig = join(folder, 'kubeconfig')
    writeFileSync(kubeconfig, await cluster.twin.kubeconfig(), { mode: 0o600 })
    const args = ['isolate', 'talos00', '--kubeconfig', kubeconfig]
    const no = await runBallast([...args, '--apply'], 'n\n')
    expect([no.code, no.words.includes('nothing was changed')]).toEqual([3, true])
    const done = await runBallast([...args, '--apply', '--yes', '--taint-mode', 'kubernetes', '--keda', 'evict'])
    expect(done.output).toContain('Verify Verified')
    expect(done.output.match(/ready on/g)).toHaveLength(23)
    expect(done.code).toBe(0)
    const back = await runBallast([...args, '--abort'])
    expect(back.output).toContain('Its taint was taken away')
    expect(back.code).toBe(0)
  })
})
