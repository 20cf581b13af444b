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
import { answersFile, recorded } from './record.ts'
import { type MetricsServerUnderTest, MetricsSite, until } from './site.ts'

/** As long as the story of the containers, and some samples after it. */
const watchedMs = 85_000
const lookEveryMs = 1_000
/** Samples that both must have served: fewer would say little. */
const leastShared = 12

interface Sample {
  readonly what: string
  readonly value: string
}

/** What a server serves now: by object, time and window the usage, to the last digit. */
async function samples({ ask }: MetricsServerUnderTest): Promise<readonly Sample[]> {
  const found: Sample[] = []
  for (const resource of ['nodes', 'pods']) {
    const { text } = await ask(`/apis/metrics.k8s.io/v1beta1/${resource}`)
    for (const item of JSON.parse(text).items) {
      const { name, namespace = '' } = item.metadata
      const containers = [...(item.containers ?? [])].sort((a, b) => (a.name < b.name ? -1 : 1))
      found.push({
        what: `${namespace}/${name} ${item.timestamp} ${item.window}`,
        value: JSON.stringify(item.usage ?? containers),
      })
    }
  }
  return found
}

async function sideBySide(): Promise<string> {
  await using site = await MetricsSite.start()
  await site.ready()
  const seen = new Map(site.servers.map(server => [server.name, new Map<string, string>()]))
  for (const began = Date.now(); Date.now() - began < watchedMs; await pause(lookEveryMs))
    for (const server of site.servers)
      for (const { what, value } of await samples(server)) seen.get(server.name)?.set(what, value)
  const [upstream, ours] = [seen.get('upstream') ?? new Map<string, string>(), seen.get('ours') ?? new Map<string, string>()]
  const shared = [...upstream.keys()].filter(what => ours.has(what))
  const told = (of: ReadonlyMap<string, string>) => Object.fromEntries(shared.map(what => [what, of.get(what)]))
  deepStrictEqual(told(ours), told(upstream))
  ok(shared.length >= leastShared, `only ${shared.length} samples in common`)
  const objects = (of: ReadonlyMap<string, string>) => new Set([...of.keys()].map(what => what.split(' ')[0]))
  // What both served at some time is the same, but for the pod that upstream leaves out because it is idle.
  const both = [...objects(ours)].filter(name => name !== 'shop/idle').toSorted()
  deepStrictEqual(both, [...objects(upstream)].toSorted())
  ok(both.includes('shop/starting') && both.includes('shop/restarting') && both.includes('shop/stopping'))
  return `${shared.length} samples of ${both.length} objects are equal to the last digit (${upstream.size} of upstream, ${ours.size} of ours)`
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
  const fixture = JSON.parse(readFileSync(answersFile, 'utf8'))
  deepStrictEqual(theirs, fixture.answers.map(comparable), 'the recording is of another upstream: record it again')
  return `${theirs.length} answers are equal, and as recorded`
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
]
