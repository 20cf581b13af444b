// The page of what is used: which kubelets answer, what nodes use, and workloads' use beside what they ask for and may have.
import type { NodeState, PodState } from '#cluster/cluster-state.ts'
import type { CapabilityView, Sentence } from '#dashboard/contract.ts'
import type { CapabilityPage, Picture } from '#dashboard/picture.ts'
import { nodeUsage, podUsage, type Usage } from '#dashboard/views/nodes/usage.ts'
import { isUseShown, unknownBecause } from '#dashboard/views/sources.ts'
import type { Viewing } from '#dashboard/views/viewing.ts'
import { nodePath, workloadPath } from '#dashboard/words/links.ts'
import { unknownText } from '#dashboard/words/percent.ts'
import { cpuExact, memoryShort } from '#dashboard/words/quantity.ts'
import { say } from '#dashboard/words/sentence.ts'
import { cpuMillicores, wholeNumber } from '#kube/values/quantity.ts'
import { untilWords } from '../handover.ts'

const mostRows = 200

type Table = CapabilityView['tables'][number]

export const metricsPage: CapabilityPage = {
  path: 'use',
  title: 'Use',
  view: (picture, viewing) => ({
    title: 'Use',
    sentences: sentencesOf(picture),
    tables: [...failuresOf(picture), nodesOf(picture), workloadsOf(picture, viewing)],
  }),
}

/** Why it is not known which pods there are, and so what is asked for; undefined where it is known. */
function podsUnknown(picture: Picture): string | undefined {
  return picture.past === undefined ? unknownBecause(picture, 'pods') : notKept
}

const notKept = 'What was asked for and used then is not kept.'

function sentencesOf(picture: Picture): readonly Sentence[] {
  const { measured, sources } = picture
  if (picture.past !== undefined) return [say('use-not-kept', notKept)]
  const source = sources.find(({ name }) => name === 'metrics')
  const silent = source?.because === null || source === undefined ? [] : [say('use-silent', source.because)]
  if (measured === undefined)
    return [...silent, say('use-by-others', 'This process does not measure: figures are those of metrics.k8s.io.')]
  const { scrapes, resolutionMs, strictUntilMs } = measured
  const answered = scrapes.filter(({ failure }) => failure === undefined).length
  const facts = { answered, of: scrapes.length, seconds: resolutionMs / 1_000 }
  const text = `${answered} of ${scrapes.length} kubelets answered when they were asked last, each ${resolutionMs / 1_000} s.`
  const handover =
    strictUntilMs === undefined || strictUntilMs <= picture.nowMs
      ? []
      : [say('use-handover', `Pods are told ${untilWords(strictUntilMs)}.`, { untilMs: strictUntilMs })]
  return [...silent, say('kubelets-answered', text, facts), ...handover]
}

/** Kubelets that did not answer; no table where all did. */
function failuresOf({ measured }: Picture): readonly Table[] {
  const failed = (measured?.scrapes ?? []).filter(({ failure }) => failure !== undefined)
  if (failed.length === 0) return []
  const table: Table = {
    name: 'silent',
    title: 'Kubelets that did not answer',
    columns: ['Node', 'Reason', 'Why', 'What helps', 'Answered last'].map(title => ({ title, isNumber: false })),
    rows: failed.slice(0, mostRows).map(({ node, failure, ageMs }) => ({
      key: node,
      cells: [
        node,
        failure?.reason ?? '',
        failure?.message ?? '',
        failure?.remedy ?? null,
        ageMs === undefined ? 'never' : `${Math.round(ageMs / 1_000)} s ago`,
      ],
      path: nodePath(node),
    })),
    total: failed.length,
    empty: 'All answered.',
  }
  return [table]
}

function nodesOf(picture: Picture): Table {
  const { state, measured } = picture
  const isShown = isUseShown(picture)
  const isCounted = podsUnknown(picture) === undefined
  const metrics = new Map((isShown ? state.objects('NodeMetrics') : []).map(object => [object.metadata.name, object]))
  const ages = new Map(measured?.scrapes.map(({ node, ageMs }) => [node, ageMs]))
  const row = (node: NodeState) => {
    const use = nodeUsage(metrics.get(node.name))
    const asked = (resource: 'cpu' | 'memory') => (isCounted ? requested(state.podsOn(node.name), resource) : null)
    const age = ages.get(node.name)
    const { cpu, memory } = node.allocatable
    return {
      key: node.name,
      cells: [
        node.name,
        ...[use?.cpu ?? null, asked('cpu'), cpu ?? null].map(cpuExact),
        ...[use?.memory ?? null, asked('memory'), memory ?? null].map(memoryShort),
        age === undefined ? unknownText : `${Math.round(age / 1_000)} s`,
      ],
      path: nodePath(node.name),
    }
  }
  const all = [...state.nodes.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1))
  return {
    name: 'nodes',
    title: 'Nodes',
    columns: columns('Node', 'CPU used', 'requested', 'allocatable', 'Memory used', 'requested', 'allocatable', 'Age'),
    rows: all.slice(0, mostRows).map(row),
    total: all.length,
    empty: 'There are no nodes.',
  }
}

/** Those that use the most CPU first; of those of which nothing is known nothing is added up. */
function workloadsOf(picture: Picture, viewing: Viewing): Table {
  const { state, measured } = picture
  const isShown = isUseShown(picture)
  const groups = new Map<string, { readonly ref: NonNullable<PodState['workload']>; readonly pods: PodState[] }>()
  for (const pod of state.pods.values()) {
    const { workload } = pod
    if (workload === undefined || pod.isFinished || !viewing.sees(workload.namespace)) continue
    const key = `${workload.namespace}/${workload.kind}/${workload.name}`
    const group = groups.get(key)
    if (group === undefined) groups.set(key, { ref: workload, pods: [pod] })
    else group.pods.push(pod)
  }
  const rows = [...groups].map(([key, { ref, pods }]) => {
    const uses = pods.flatMap((pod): Usage[] => {
      const use = isShown ? podUsage(state, pod.namespace, pod.name) : undefined
      return use === undefined ? [] : [use]
    })
    const peaks = pods.flatMap(({ namespace, name }) => measured?.peaks.get(`${namespace}/${name}`) ?? [])
    const isWhole = uses.length === pods.length
    const hasPeaks = isWhole && peaks.length === pods.length
    const sum = (amounts: readonly number[]) => amounts.reduce((total, amount) => total + amount, 0)
    return {
      key,
      cpu: isWhole ? sum(uses.map(use => use.cpu)) : undefined,
      cells: [
        `${ref.namespace}/${ref.name}`,
        ref.kind,
        `${uses.length} of ${pods.length}`,
        ...[
          isWhole ? sum(uses.map(use => use.cpu)) : null,
          hasPeaks ? Math.ceil(sum(peaks.map(peak => peak.cpu95)) / 1e6) : null,
          requested(pods, 'cpu'),
        ].map(cpuExact),
        limitText(limitOf(pods, 'cpu'), cpuExact),
        ...[
          isWhole ? sum(uses.map(use => use.memory)) : null,
          // What is used now may be read after the most was last told.
          hasPeaks ? Math.max(sum(peaks.map(peak => peak.memoryMost)), sum(uses.map(use => use.memory))) : null,
          requested(pods, 'memory'),
        ].map(memoryShort),
        limitText(limitOf(pods, 'memory'), memoryShort),
      ],
      path: workloadPath({ kind: ref.kind, namespace: ref.namespace, name: ref.name }),
    }
  })
  rows.sort((a, b) => (b.cpu ?? -1) - (a.cpu ?? -1) || (a.key < b.key ? -1 : 1))
  return {
    name: 'workloads',
    title: 'Workloads, by CPU that they use',
    columns: [
      ...['Workload', 'Kind', 'Pods measured'].map(title => ({ title, isNumber: false })),
      ...['CPU used', 'usually below', 'requested', 'limit', 'Memory used', 'at most', 'requested', 'limit'].map(title => ({
        title,
        isNumber: true,
      })),
    ],
    rows: rows.slice(0, mostRows).map(({ key, cells, path }) => ({ key, cells, path })),
    total: rows.length,
    empty: podsUnknown(picture) ?? 'No workload has pods that you may see.',
  }
}

function columns(first: string, ...numbers: readonly string[]): Table['columns'] {
  return [{ title: first, isNumber: false }, ...numbers.map(title => ({ title, isNumber: true }))]
}

function requested(pods: readonly PodState[], resource: 'cpu' | 'memory'): number {
  return pods.reduce((total, { requests }) => total + (requests[resource] ?? 0), 0)
}

function limitText(limit: number | null, text: (amount: number) => string): string {
  return limit === null ? 'none' : text(limit)
}

/** What all containers may use together; null where one of them has no limit. */
function limitOf(pods: readonly PodState[], resource: 'cpu' | 'memory'): number | null {
  let total = 0
  for (const { object } of pods)
    for (const { resources } of object.spec.containers) {
      const text = resources?.limits?.[resource]
      const amount = resource === 'cpu' ? cpuMillicores(text, 'limits.cpu') : wholeNumber(text, 'limits.memory')
      if (text === undefined || !amount.ok) return null
      total += amount.value
    }
  return total
}
