// metrics-server and ours beside each other on the same kubelets and the same real control plane: equal numbers, equal words, equal tables.
import { deepStrictEqual, ok, strictEqual } from 'node:assert'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { comparable } from '../../metrics-server-differences.ts'
import type { Check } from '../check.ts'
import { kubectlPath } from '../control-plane/debian.ts'
import { runCommand } from '../run-command.ts'
import { recommended, scaledByUse } from './autoscalers.ts'
import { changedOver } from './change-over.ts'
import { evictedByUse } from './deschedulers.ts'
import { doctorOnKubelets } from './doctor-on-kubelets.ts'
import { inPods } from './in-pods.ts'
import { asPart } from './part.ts'
import { realKubelets } from './real-kubelets.ts'
import { answersFile, recorded } from './record.ts'
import { SharedSamples } from './samples.ts'
import { type MetricsServerUnderTest, until } from './servers.ts'
import { sharedAtSize } from './sharing-at-size.ts'
import { silentKubelet } from './silent-kubelet.ts'
import { MetricsSite } from './site.ts'

/** As long as the story of the containers, and some samples after it. */
const watchedMs = 85_000
const lookEveryMs = 1_000
/** Samples that both must have served: fewer would say little. */
const leastShared = 12

async function sideBySide(): Promise<string> {
  await using site = await MetricsSite.start()
  await site.ready()
  const [upstream, ours] = site.servers
  if (upstream === undefined || ours === undefined) throw new Error('two servers')
  const samples = new SharedSamples(upstream, ours)
  for (const began = Date.now(); Date.now() - began < watchedMs; await pause(lookEveryMs)) await samples.look()
  samples.compare()
  const shared = [...samples.shared.values()].reduce((sum, count) => sum + count, 0)
  ok(shared >= leastShared, `only ${shared} samples in common`)
  const [theirs, own] = samples.objects
  // What both served at some time is the same, but for the pod that upstream leaves out because it is idle.
  const both = [...own].filter(name => name !== 'shop/idle').toSorted()
  deepStrictEqual(both, [...theirs].toSorted())
  ok(both.includes('shop/starting') && both.includes('shop/restarting') && both.includes('shop/stopping'))
  const [ofUpstream, ofOurs] = samples.counts
  return `${shared} samples of ${both.length} objects are equal to the last digit (${ofUpstream} of upstream, ${ofOurs} of ours)`
}

async function sameAnswers(): Promise<string> {
  await using site = await MetricsSite.start()
  await site.ready()
  const [upstream, ours] = site.servers
  if (upstream === undefined || ours === undefined) throw new Error('two servers')
  // Both have had the time for a second scrape of each kubelet.
  await until(
    'both to serve the same pods',
    async () => (await podNames(upstream)) === (await podNames(ours)).replace('idle ', ''),
  )
  const theirs = (await recorded(upstream)).map(comparable)
  deepStrictEqual((await recorded(ours)).map(comparable), theirs)
  deepStrictEqual(await countedBy(ours), await countedBy(upstream))
  const fixture = JSON.parse(readFileSync(answersFile, 'utf8'))
  deepStrictEqual(theirs, fixture.answers.map(comparable), 'the recording is of another upstream: record it again')
  return `${theirs.length} answers are equal, and as recorded`
}

/** What a server counts of its answers, by verb, resource and code; how often is its own. */
async function countedBy({ ask }: MetricsServerUnderTest): Promise<readonly string[]> {
  const { text } = await ask('/metrics')
  const rows = text.matchAll(
    /^(apiserver_request_total|apiserver_request_duration_seconds_count)\{(.*component="apiserver".*)\} \d+$/gm,
  )
  return [...rows].map(([, name, labels = '']) => `${name} ${labels.split(',').toSorted().join(' ')}`).toSorted()
}

async function podNames({ ask }: MetricsServerUnderTest): Promise<string> {
  const { text } = await ask('/apis/metrics.k8s.io/v1beta1/pods')
  return JSON.parse(text)
    .items.map((item: { readonly metadata: { readonly name: string } }) => `${item.metadata.name} `)
    .join('')
}

const commands = [
  ['top', 'nodes'],
  ['top', 'node', 'n2'],
  ['top', 'pods', '-A', '--containers'],
  ['top', 'pods', '-n', 'shop', '-l', 'app=steady', '--sum'],
  ['top', 'pod', 'nobody', '-n', 'shop'],
  ['top', 'pods', '-n', 'empty'],
  ['get', 'nodes.metrics.k8s.io'],
  ['get', 'pods.metrics.k8s.io', '-n', 'shop', 'steady'],
  ['get', 'pods.metrics.k8s.io', '-n', 'shop', 'nobody'],
  ['get', 'nodes.metrics.k8s.io', 'nobody'],
  ['get', 'nodes.metrics.k8s.io', 'silent'],
] as const

/** Tables without what a moment makes of them: numbers of the pods that change, the window, and the pod that upstream leaves out. */
function plain(text: string): string {
  return text
    .split('\n')
    .filter(line => !/\bidle\b|\bstarting\b|\brestarting\b|\bstopping\b/.test(line))
    .map(line =>
      line
        .trim()
        .replaceAll(/\s+/g, ' ')
        .replace(/ \d+(\.\d+)?m?s$/, ' WINDOW')
        .replace(/\b\d+n\b/g, 'NANOS'),
    )
    .join('\n')
}

async function sameTables(): Promise<string> {
  await using site = await MetricsSite.start()
  await site.ready()
  const told = new Map<string, string[]>()
  const cacheDirectory = mkdtempSync(join(tmpdir(), 'ballast-kubectl-'))
  try {
    for (const server of site.servers) {
      await site.putInPlace(server)
      for (const version of ['1.32', 'newest'] as const) {
        const kubectl = await kubectlPath(version)
        for (const command of commands) {
          const flags = [`--kubeconfig=${site.plane.kubeconfig}`, `--cache-dir=${cacheDirectory}`]
          const { code, stdout, stderr } = await runCommand(kubectl, [...flags, ...command])
          const key = `kubectl ${version} ${command.join(' ')}`
          told.set(key, [...(told.get(key) ?? []), `${code} ${plain(stdout)} ${plain(stderr)}`])
        }
      }
    }
  } finally {
    rmSync(cacheDirectory, { recursive: true, force: true })
  }
  for (const [command, [upstream, ours]] of told) strictEqual(ours, upstream, command)
  ok(
    [...told.values()].some(([upstream = '']) => /n2 50m 1% 1024Mi 25%/.test(upstream)),
    JSON.stringify([...told]),
  )
  return `${told.size} commands of kubectl 1.32 and newest print the same through both`
}

export const metricsChecks: readonly Check[] = [
  { name: 'metrics-server and ours serve equal numbers for equal scrapes', run: sideBySide },
  { name: 'metrics-server and ours answer in the same words', run: sameAnswers },
  { name: 'kubectl top and get print the same through metrics-server and ours', run: sameTables },
  { name: 'real kubelets: metrics-server and ours serve equal numbers, and verify alike', alone: true, run: realKubelets },
  {
    name: 'real kubelets: one that nobody reaches costs its node later than with metrics-server',
    alone: true,
    run: silentKubelet,
  },
  { name: 'real kubelets: metrics-server to ours by the documented patch, and back', alone: true, run: changedOver },
  { name: 'real kubelets: two replicas of ballast apiserver in pods, one is killed', alone: true, run: inPods },
  { name: 'real kubelets: doctor metrics says who verifies, and its lines mend it', alone: true, run: doctorOnKubelets },
  { name: 'metrics as a part of ballast apiserver behind the real API server', run: asPart },
  { name: 'replicas of ballast apiserver share a thousand kubelets, and one is lost', alone: true, run: sharedAtSize },
  { name: "kube-controller-manager's autoscaler scales a Deployment by what ours serves", run: scaledByUse },
  { name: "VPA's recommender recommends by what ours serves", run: recommended },
  { name: "upstream's descheduler and ours evict by what ours serves", run: evictedByUse },
]
