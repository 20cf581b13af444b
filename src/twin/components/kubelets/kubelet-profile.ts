// How long things take on a simulated node: drawn with the twin's seed, overridden by `ballast.dev/twin-*` annotations.

import type { Container, Node, Pod } from '#kube/objects/objects.ts'
import type { Random } from '#kube/random.ts'
import { parseDurationMs } from '#kube/time/duration.ts'
import { parseWhole } from '#kube/values/quantity.ts'
import { controllerOf } from '../workloads/pod-state.ts'

const twinAnnotation = {
  readyAfter: 'ballast.dev/twin-ready-after',
  runFor: 'ballast.dev/twin-run-for',
  exitCode: 'ballast.dev/twin-exit-code',
  restartAfter: 'ballast.dev/twin-restart-after',
  fail: 'ballast.dev/twin-fail',
  ignoreSigterm: 'ballast.dev/twin-ignore-sigterm',
  pullBandwidth: 'ballast.dev/twin-pull-bandwidth',
  /** kwok's word for `runFor`. */
  completeAfter: 'pod-complete.stage.kwok.x-k8s.io/delay',
} as const

const defaultBandwidth = 50 * 1024 * 1024
/** Bytes a second between two nodes: a network of 1 Gbit/s. */
const nodeBandwidth = 117 * 1024 * 1024
const medianImageBytes = 100_000_000
const containerStartMs = 300
const initRunMs = 500
/** What a Job's pod runs for when nothing says otherwise. */
const jobRunMs = 30_000
const jobRunKinds = new Set(['Job'])

/** Log-normal with median 1: `spread` is the standard deviation of its logarithm. */
function logNormal(random: Random, spread: number): number {
  const radius = Math.sqrt(-2 * Math.log(1 - random()))
  return Math.exp(spread * radius * Math.cos(2 * Math.PI * random()))
}

/** Milliseconds from admission to a pod sandbox with a network. */
export function sandboxMs(random: Random): number {
  return Math.round(400 * logNormal(random, 0.3))
}

/** Milliseconds from a pulled image to a running container. */
export function startMs(random: Random): number {
  return Math.round(containerStartMs * logNormal(random, 0.2))
}

/** Milliseconds that an init container runs. */
export function initExitMs(random: Random): number {
  return Math.round(initRunMs * logNormal(random, 0.3))
}

/** Bytes of an image: what any node says of it, else drawn from the median of 100 MB by the image's own name. */
export function imageBytes(image: string, nodes: Iterable<Node>): number {
  for (const node of nodes) {
    const listed = node.status?.images?.find(entry => entry.names?.includes(image))
    if (listed?.sizeBytes !== undefined) return Number(listed.sizeBytes)
  }
  let hash = 0x811c9dc5
  for (const byte of new TextEncoder().encode(image)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0
  const uniform = () => {
    hash = (Math.imul(hash, 1664525) + 1013904223) >>> 0
    return hash / 4294967296
  }
  return Math.round(medianImageBytes * logNormal(uniform, 0.5))
}

/** Bytes a second that the node pulls with. */
export function pullBandwidth(node: Node): number {
  const text = node.metadata.annotations?.[twinAnnotation.pullBandwidth]
  if (text === undefined) return defaultBandwidth
  try {
    const value = parseWhole(text)
    return value > 0 ? value : defaultBandwidth
  } catch (error) {
    // A typing error in an annotation must not stop a node from pulling.
    if (error instanceof RangeError) return defaultBandwidth
    throw error
  }
}

/** Bytes a second that the node takes from another node; never fewer than from outside. */
export function peerBandwidth(node: Node): number {
  return Math.max(nodeBandwidth, pullBandwidth(node))
}

/** Milliseconds from the start of the pod's last container until all its probes have succeeded. */
export function readyMs(pod: Pod): number {
  const given = durationAnnotation(pod, twinAnnotation.readyAfter)
  if (given !== undefined) return given
  return Math.max(
    0,
    ...pod.spec.containers.map(container => probeMs(container, 'startupProbe') + probeMs(container, 'readinessProbe')),
  )
}

function probeMs(container: Container, name: 'startupProbe' | 'readinessProbe'): number {
  const probe = container[name]
  if (typeof probe !== 'object' || probe === null) return 0
  const seconds = (field: string, fallback: number) => {
    const value = (probe as Readonly<Record<string, unknown>>)[field]
    return typeof value === 'number' ? value : fallback
  }
  return (seconds('initialDelaySeconds', 0) + seconds('successThreshold', 1) * seconds('periodSeconds', 10)) * 1000
}

/** Milliseconds that the pod's containers run before they exit by themselves; `undefined`: for ever. */
export function runForMs(pod: Pod): number | undefined {
  const given = durationAnnotation(pod, twinAnnotation.runFor) ?? durationAnnotation(pod, twinAnnotation.completeAfter)
  if (given !== undefined) return given
  const fail = failureOf(pod)
  if (fail === 'CrashLoopBackOff' || fail === 'OOMKilled' || fail === 'Error') return 1000
  if (isScript(pod)) return initRunMs
  return jobRunKinds.has(controllerOf(pod)?.kind ?? '') ? jobRunMs : undefined
}

/** A pod of its own that hands a script to a shell, is never restarted and has a deadline: it does its work and ends. */
function isScript(pod: Pod): boolean {
  const { spec } = pod
  if (controllerOf(pod) !== undefined || spec.restartPolicy !== 'Never' || spec['activeDeadlineSeconds'] === undefined)
    return false
  const command = spec.containers[0]?.['command']
  return Array.isArray(command) && command[0] === '/bin/sh' && command[1] === '-c'
}

type SimulatedFailure = 'CrashLoopBackOff' | 'OOMKilled' | 'Error' | 'ImagePullBackOff' | 'CreateContainerConfigError'
const failures: readonly string[] = ['CrashLoopBackOff', 'OOMKilled', 'Error', 'ImagePullBackOff', 'CreateContainerConfigError']

/** What the pod is told to suffer from. */
export function failureOf(pod: Pod): SimulatedFailure | undefined {
  const text = pod.metadata.annotations?.[twinAnnotation.fail]
  return text !== undefined && failures.includes(text) ? (text as SimulatedFailure) : undefined
}

/** The code its containers exit with, and the reason in their status. */
export function exitOf(pod: Pod): { readonly code: number; readonly reason: string } {
  const fail = failureOf(pod)
  if (fail === 'OOMKilled') return { code: 137, reason: 'OOMKilled' }
  const text = pod.metadata.annotations?.[twinAnnotation.exitCode]
  const code = text !== undefined && /^[0-9]{1,3}$/.test(text) ? Number(text) : fail === undefined ? 0 : 1
  return { code, reason: code === 0 ? 'Completed' : 'Error' }
}

/** Milliseconds from SIGTERM to the end of the pod's containers, and whether they had to be killed. */
export function terminationMs(pod: Pod, graceSeconds: number): { readonly delayMs: number; readonly isKilled: boolean } {
  const ignores = pod.metadata.annotations?.[twinAnnotation.ignoreSigterm] === 'true'
  return ignores
    ? { delayMs: graceSeconds * 1000, isKilled: true }
    : { delayMs: Math.min(graceSeconds, 1) * 1000, isKilled: false }
}

/** Milliseconds between the end of the pod's containers and their restart, where the pod says so. */
export function restartAfterMs(pod: Pod): number | undefined {
  return durationAnnotation(pod, twinAnnotation.restartAfter)
}

/** 10 s, doubled with each restart, at most 300 s: for crash loops and image pulls. */
export function restartBackOffMs(restarts: number): number {
  return Math.min(300_000, 10_000 * 2 ** Math.min(10, restarts))
}

function durationAnnotation(pod: Pod, name: string): number | undefined {
  const text = pod.metadata.annotations?.[name]
  if (text === undefined) return undefined
  const parsed = parseDurationMs(text)
  return parsed.ok && parsed.value >= 0 ? parsed.value : undefined
}
