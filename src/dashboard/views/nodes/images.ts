// Images: which node has which, what mirrors brought from node to node, and which nodes have no mirror that serves.
import type { ClusterState, PodState } from '#cluster/cluster-state.ts'
import type { DaemonSet } from '#kube/objects/objects.ts'
import { mirrorAmong, registryOf } from '#twin/components/kubelets/image-mirrors.ts'
import type { PullRecord } from '#twin/components/kubelets/image-pulls.ts'
import type { ImagePull, ImageRow, ImagesView, MirrorRow, RegistryRow, Sentence } from '../../contract.ts'
import type { MirrorReading, MirrorsPicture, Picture } from '../../picture.ts'
import * as words from '../../words/en-images.ts'
import { printable } from '../../words/names.ts'
import type { Viewing } from '../viewing.ts'

/** Rows of the table of images. */
const mostImages = 200
/** Names of nodes in a row. */
const nodesNamed = 50

/** What is known of images now. Of namespaces that may not be seen, images that only their pods name are left out. */
export function imagesViewOf(picture: Picture, viewing: Viewing): ImagesView {
  const { state, mirrors, nowMs } = picture
  const images = imagesOn(state, viewing)
  const rows = imageRows(images, pullsOf(mirrors, nowMs))
  const mirrorRows = mirrorRowsOf(picture, images)
  const registries = registryRows(mirrors)
  return {
    sentences: sentencesOf(mirrorRows, rows, mirrors),
    registries,
    mirrors: mirrorRows,
    images: rows.slice(0, mostImages),
    total: rows.length,
  }
}

interface ImageFacts {
  readonly nodes: Set<string>
  bytes: number | null
  digest: string | null
}

/** Every image by the name that pods know it by: as kubelets list them, and as running pods prove. */
function imagesOn(state: ClusterState, viewing: Viewing): ReadonlyMap<string, ImageFacts> {
  const images = new Map<string, ImageFacts>()
  const at = (name: string): ImageFacts => {
    const facts = images.get(name) ?? { nodes: new Set<string>(), bytes: null, digest: null }
    images.set(name, facts)
    return facts
  }
  for (const { name: node, object } of state.nodes.values()) {
    for (const { names = [], sizeBytes } of object.status?.images ?? []) {
      const named = names.find(name => !name.includes('@'))
      const digested = names.find(name => name.includes('@'))
      const name = named ?? digested
      if (name === undefined) continue
      const facts = at(name)
      facts.nodes.add(node)
      if (sizeBytes !== undefined) facts.bytes = sizeBytes
      facts.digest ??= digested?.split('@')[1] ?? null
    }
  }
  for (const pod of state.pods.values()) {
    if (pod.nodeName === undefined || !pod.isReady || !viewing.sees(pod.namespace)) continue
    for (const { image } of pod.object.spec.containers) if (image !== undefined) at(image).nodes.add(pod.nodeName)
  }
  return images
}

function imageRows(
  images: ReadonlyMap<string, ImageFacts>,
  pulls: ReadonlyMap<string, readonly ImagePull[]>,
): readonly ImageRow[] {
  const names = new Set([...images.keys(), ...pulls.keys()])
  const rows = [...names].map((name): ImageRow => {
    const { nodes = new Set<string>(), bytes = null, digest = null } = images.get(name) ?? {}
    const running = pulls.get(name) ?? []
    return {
      name: printable(name),
      digest,
      bytes: bytes ?? running[0]?.bytes ?? null,
      nodes: [...nodes].toSorted().slice(0, nodesNamed),
      nodeCount: nodes.size,
      pulls: running,
    }
  })
  return rows.toSorted(
    (a, b) =>
      b.pulls.length - a.pulls.length ||
      (b.bytes ?? 0) * b.nodeCount - (a.bytes ?? 0) * a.nodeCount ||
      b.nodeCount - a.nodeCount ||
      (a.name < b.name ? -1 : 1),
  )
}

/** Pulls that run now, by image. */
function pullsOf(mirrors: MirrorsPicture | undefined, nowMs: number): ReadonlyMap<string, readonly ImagePull[]> {
  const running = new Map<string, ImagePull[]>()
  for (const pull of mirrors?.pulls ?? []) {
    if (pull.endsMs <= nowMs) continue
    const list = running.get(pull.image) ?? []
    list.push({ node: pull.node, from: pull.source, bytes: pull.bytes, done: doneOf(pull, nowMs) })
    running.set(pull.image, list)
  }
  return running
}

function doneOf({ bytes, beganMs, endsMs }: PullRecord, nowMs: number): number {
  const share = (nowMs - beganMs) / Math.max(1, endsMs - beganMs)
  return Math.round(bytes * Math.min(1, Math.max(0, share)))
}

function mirrorRowsOf({ state, mirrors }: Picture, images: ReadonlyMap<string, ImageFacts>): readonly MirrorRow[] {
  const pods = mirrorPods(state)
  const counts = new Map<string, number>()
  for (const { nodes } of images.values()) for (const node of nodes) counts.set(node, (counts.get(node) ?? 0) + 1)
  const outside = bytesByNode(mirrors?.pulls, 'outside')
  const inside = bytesByNode(mirrors?.pulls, 'peer')
  return [...state.nodes.values()].map(({ name }): MirrorRow => {
    const reading = mirrors?.readings.get(name)
    const known = reading?.kind === 'read' ? reading : undefined
    const stands = stateOf(pods.get(name), reading)
    // What passes no mirror nobody counts: a zero would say that nothing came.
    const isTold = mirrors?.pulls !== undefined && (stands.state !== 'none' || outside.has(name) || inside.has(name))
    return {
      node: name,
      ...stands,
      images: counts.get(name) ?? 0,
      fromNodes: isTold ? (inside.get(name) ?? 0) : (known?.bytesIn ?? null),
      fromOutside: isTold ? (outside.get(name) ?? 0) : null,
      toNodes: known?.bytesOut ?? null,
    }
  })
}

/** The pod of a mirror on each node: of those that a DaemonSet runs, one that is ready before one that is not. */
function mirrorPods(state: ClusterState): ReadonlyMap<string, PodState> {
  const pods = new Map<string, PodState>()
  for (const object of state.objects('DaemonSet')) {
    const { spec, metadata } = object as DaemonSet
    if (mirrorAmong(spec.template.spec.containers) === undefined) continue
    for (const pod of state.podsOf(metadata.uid ?? '')) {
      if (pod.nodeName === undefined || pods.get(pod.nodeName)?.isReady === true) continue
      pods.set(pod.nodeName, pod)
    }
  }
  return pods
}

function stateOf(pod: PodState | undefined, reading: MirrorReading | undefined): Pick<MirrorRow, 'state' | 'because'> {
  if (pod === undefined) return { state: 'none', because: words.noMirrorPod }
  if (!pod.isReady) return { state: 'waiting', because: words.mirrorNotReady }
  if (reading?.kind === 'silent') return { state: 'silent', because: printable(reading.because) }
  return { state: 'serving', because: null }
}

/** Bytes of ended pulls by node; `peer` takes in what was relayed. */
function bytesByNode(pulls: readonly PullRecord[] | undefined, from: 'outside' | 'peer'): ReadonlyMap<string, number> {
  const bytes = new Map<string, number>()
  for (const pull of pulls ?? []) {
    if ((pull.source === 'outside') === (from === 'outside')) bytes.set(pull.node, (bytes.get(pull.node) ?? 0) + pull.bytes)
  }
  return bytes
}

function registryRows(mirrors: MirrorsPicture | undefined): readonly RegistryRow[] {
  const sums = new Map<string, { hits: number; misses: number }>()
  const add = (registry: string, hits: number, misses: number) => {
    const sum = sums.get(registry) ?? { hits: 0, misses: 0 }
    sums.set(registry, { hits: sum.hits + hits, misses: sum.misses + misses })
  }
  for (const reading of mirrors?.readings.values() ?? [])
    if (reading.kind === 'read') for (const [name, { hits, misses }] of reading.registries) add(name, hits, misses)
  for (const { isMirrored, image, source } of mirrors?.pulls ?? [])
    if (isMirrored) add(registryOf(image), source === 'outside' ? 0 : 1, source === 'outside' ? 1 : 0)
  return [...sums]
    .map(([name, sum]) => ({ name: printable(name), ...sum }))
    .toSorted((a, b) => b.hits + b.misses - a.hits - a.misses || (a.name < b.name ? -1 : 1))
}

function sentencesOf(
  mirrors: readonly MirrorRow[],
  images: readonly ImageRow[],
  picture: MirrorsPicture | undefined,
): readonly Sentence[] {
  const sum = (of: (row: MirrorRow) => number | null) =>
    mirrors.some(row => of(row) !== null) ? mirrors.reduce((total, row) => total + (of(row) ?? 0), 0) : null
  const missing = mirrors.filter(({ state }) => state !== 'serving' && state !== 'silent').length
  if (missing === mirrors.length) return [words.noMirrors()]
  const [fromNodes, fromOutside] = [sum(row => row.fromNodes), sum(row => row.fromOutside)]
  const running = images.flatMap(({ pulls }) => pulls)
  const isQuiet = picture !== undefined && (fromNodes ?? 0) === 0 && (fromOutside ?? 0) === 0
  return [
    ...(running.length === 0
      ? []
      : [words.pullsRunning({ pulls: running.length, outside: running.filter(({ from }) => from === 'outside').length })]),
    ...(fromNodes === null || isQuiet ? [] : [words.imagesSaved({ fromNodes, fromOutside })]),
    ...(isQuiet ? [words.noImagesPulled()] : []),
    ...(missing === 0 ? [] : [words.mirrorsMissing({ missing, nodes: mirrors.length })]),
  ]
}
