// …/log: what a container of the twin wrote, once or as it comes.
import type { KubeObject, Node } from '#kube/objects/objects.ts'
import { notFound, StatusError, statusBody } from '#kube/objects/status.ts'
import { askedContainer, loggedRun, specOf, statusOf } from '../../containers/asked-container.ts'
import {
  type ContainerRun,
  type ContainerWords,
  type LogLine,
  logAnnotation,
  logLines,
  nextLineMs,
} from '../../containers/log-lines.ts'
import { type LogOptions, lineText, logOptions, shownLines } from '../../containers/log-options.ts'
import { ownShell } from '../../containers/own-shell.ts'
import { textAt } from '../../json-value.ts'
import type { ApiServer } from '../api-server.ts'
import type { WriteRequest } from '../object-writes.ts'
import type { TwinResponse } from '../request.ts'

const plain = { 'content-type': 'text/plain' }

/**
 * The log of the container asked for. `isSilent`: whether the kubelet of a node does not answer.
 * @throws StatusError 400 for a container that is not there or not started, 422 for options that mean nothing, 500 where its kubelet is silent
 */
export function answerLog(server: ApiServer, { info, request }: WriteRequest, isSilent: (node: Node) => boolean): TwinResponse {
  const name = info.name ?? ''
  const nowMs = server.clock.now()
  const options = logOptions(request.query, name, nowMs)
  const pod = server.store.get('pods', info.namespace, name)
  if (pod === undefined) throw notFound({ group: '', resource: 'pods' }, name)
  const container = askedContainer(pod, options.container)
  const node = textAt(pod, 'spec', 'nodeName') ?? ''
  // Nobody has it yet, and nobody is asked.
  if (node === '') return { kind: 'whole', status: 204, headers: plain, body: '' }
  const found: Node | undefined = server.store.get('nodes', undefined, node)
  if (found !== undefined && isSilent(found))
    throw new StatusError(statusBody(500, `Get "https://${node}:10250/containerLogs": the kubelet does not answer`, '', {}))
  const run = loggedRun(pod, container, options.isPrevious)
  const words = wordsOf(pod, container)
  const log = { words, run, shown: shownLines(logLines(run, words, nowMs), options) }
  if (!options.follows || run.ended !== undefined) {
    const body = Buffer.from(log.shown.map(line => lineText(line, options)).join(''))
    return { kind: 'whole', status: 200, headers: plain, body: body.subarray(0, options.limitBytes ?? body.length) }
  }
  const chunks = limited(
    followed(server, { pod, container, askedMs: nowMs, ...log }, options, request.signal),
    options.limitBytes,
  )
  return { kind: 'stream', status: 200, headers: plain, chunks }
}

/** What a container that runs writes from now on, line by line, until it ends or the signal comes. @throws StatusError where it does not run */
export function writtenFromNow(
  server: ApiServer,
  { pod, container }: Pick<Followed, 'pod' | 'container'>,
  signal: AbortSignal,
): AsyncGenerator<string, void, undefined> {
  const askedMs = server.clock.now()
  const followedFrom = {
    pod,
    container,
    run: loggedRun(pod, container, false),
    words: wordsOf(pod, container),
    shown: [],
    askedMs,
  }
  return followed(server, followedFrom, logOptions(new URLSearchParams(), pod.metadata.name, askedMs), signal)
}

function wordsOf(pod: KubeObject, name: string): ContainerWords {
  return {
    name,
    image: textAt(specOf(pod, name), 'image') ?? '',
    pod: `${pod.metadata.namespace ?? ''}/${pod.metadata.name}`,
    node: textAt(pod, 'spec', 'nodeName') ?? '',
    script: pod.metadata.annotations?.[logAnnotation],
    isShell: ownShell(pod, name) !== undefined,
  }
}

interface Followed {
  readonly pod: KubeObject
  readonly container: string
  readonly run: ContainerRun
  readonly words: ContainerWords
  readonly shown: readonly LogLine[]
  /** Up to when `shown` goes. */
  readonly askedMs: number
}

/** What there is, then each line when its time comes, until this run of the container has ended. */
async function* followed(
  server: ApiServer,
  { pod: { metadata }, container, run: { startedMs }, words: firstWords, shown, askedMs }: Followed,
  options: LogOptions,
  signal: AbortSignal,
): AsyncGenerator<string, void, undefined> {
  const { namespace, name, uid } = metadata
  let words = firstWords
  let writtenMs = askedMs
  yield shown.map(line => lineText(line, options)).join('')
  // Between a look at the pod and the wait for its next change nothing else happens, so that no change is missed.
  while (!signal.aborted) {
    const pod = server.store.get('pods', namespace, name)
    const nowMs = server.clock.now()
    const isThere = pod !== undefined && pod.metadata.uid === uid
    if (isThere) words = wordsOf(pod, container)
    const run = (isThere ? runSince(pod, container, startedMs) : undefined) ?? {
      startedMs,
      ended: { atMs: nowMs, exitCode: isThere ? 137 : 143, reason: 'Error' },
    }
    const fresh = logLines(run, words, Math.max(nowMs, run.ended?.atMs ?? 0)).filter(
      line => line.isEnd === true || line.atMs > writtenMs,
    )
    writtenMs = nowMs
    if (fresh.length > 0) yield fresh.map(line => lineText(line, options)).join('')
    if (run.ended !== undefined) return
    if (fresh.length === 0) await nextMoment(server, nextLineMs(run, words, writtenMs), { namespace, name }, signal)
  }
}

/** The run that began at `startedMs`, wherever the status has it now; undefined where it is forgotten. */
function runSince(pod: KubeObject, container: string, startedMs: number): ContainerRun | undefined {
  if (statusOf(pod, container) === undefined) return undefined
  const runs = [false, true].flatMap(isPrevious => {
    try {
      return [loggedRun(pod, container, isPrevious)]
    } catch (error) {
      if (error instanceof StatusError) return []
      throw error
    }
  })
  return runs.find(run => run.startedMs === startedMs)
}

/** Resolves when the pod changes, when it is `atMs`, or when the client is gone. */
function nextMoment(
  server: ApiServer,
  atMs: number | undefined,
  { namespace, name }: { readonly namespace: string | undefined; readonly name: string },
  signal: AbortSignal,
): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const stack = new DisposableStack()
  stack.defer(
    server.store.subscribe('pods', ({ object: { metadata } }) => {
      if (metadata.name === name && metadata.namespace === namespace) resolve()
    }),
  )
  if (atMs !== undefined) stack.defer(server.clock.at(atMs, resolve))
  const onGone = () => resolve()
  if (signal.aborted) resolve()
  signal.addEventListener('abort', onGone, { once: true })
  stack.defer(() => signal.removeEventListener('abort', onGone))
  return promise.finally(() => stack.dispose())
}

/** The first `limitBytes` bytes. */
async function* limited(
  texts: AsyncIterable<string>,
  limitBytes: number | undefined,
): AsyncGenerator<Uint8Array, void, undefined> {
  let left = limitBytes ?? Number.POSITIVE_INFINITY
  for await (const text of texts) {
    const bytes = Buffer.from(text)
    yield bytes.subarray(0, Math.min(left, bytes.length))
    left -= bytes.length
    if (left <= 0) return
  }
}
