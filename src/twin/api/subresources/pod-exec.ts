// …/exec and …/attach: a command in a container of the twin, or what it writes itself, over the channels of `v5.channel.k8s.io` and `v4.channel.k8s.io`.
import type { KubeObject } from '#kube/objects/objects.ts'
import { badRequest, internalError } from '#kube/objects/status.ts'
import { askedContainer, statusOf } from '../../containers/asked-container.ts'
import { runCommand, showWritten } from '../../containers/exec-session.ts'
import type { OpenContainers } from '../../containers/open-containers.ts'
import { ownShell } from '../../containers/own-shell.ts'
import { textAt } from '../../json-value.ts'
import type { ApiServer } from '../api-server.ts'
import type { WriteRequest } from '../object-writes.ts'
import type { TwinResponse } from '../request.ts'
import { writtenFromNow } from './pod-log.ts'
import { agreedUpgrade, checkKubelet, type ReachParts, reachedPod } from './running-pod.ts'

interface ExecParts extends ReachParts {
  readonly containers: OpenContainers
  readonly endContainer: EndContainer
}

/** Ends a container whose own program has ended. */
export type EndContainer = (pod: KubeObject, container: string, exitCode: number) => void

const protocols = ['v5.channel.k8s.io', 'v4.channel.k8s.io']

/** Starts the command where all is well. @throws StatusError in the words of kube-apiserver and kubelet */
export function answerExec(parts: ExecParts, write: WriteRequest): TwinResponse {
  const { server, containers, endContainer } = parts
  const { info, request } = write
  const pod = reachedPod(parts, write)
  const isAttach = info.subresource === 'attach'
  const command = request.query.getAll('command')
  const wants = (channel: string) => ['true', '1'].includes(request.query.get(channel) ?? '')
  const hasTty = wants('tty')
  const container = askedContainer(pod, request.query.get('container') ?? '')
  checkKubelet(parts, pod)
  if (!wants('stdin') && !wants('stdout') && !wants('stderr'))
    throw badRequest('you must specify at least 1 of stdin, stdout, stderr')
  if (!isAttach && command.length === 0) throw badRequest('you must specify a command')
  if (textAt(statusOf(pod, container), 'state', 'running', 'startedAt') === undefined)
    throw internalError(`unable to upgrade connection: container not found (${JSON.stringify(container)})`)
  const { protocol, accept } = agreedUpgrade(request, protocols)
  const hears = endOf(server, pod, container)
  accept(protocol, async (socket, gone) => {
    using ended = hears()
    const signal = AbortSignal.any([gone, ended.signal])
    const shell = () => containers.open(pod, container)
    if (!isAttach) {
      await runCommand({ shell: shell(), command, hasTty, hasStdin: wants('stdin') }, socket, signal)
      return
    }
    const program = wants('stdin') ? ownShell(pod, container) : undefined
    if (program === undefined) {
      // What an attached client sees ends with the container by itself, after its last words.
      await showWritten(writtenFromNow(server, { pod, container }, gone), socket, { hasTty })
      return
    }
    const code = await runCommand({ shell: shell(), command: program, hasTty, hasStdin: true, isAttached: true }, socket, signal)
    if (code !== undefined) endContainer(pod, container, code)
  })
  return { kind: 'whole', status: 101, headers: {}, body: '' }
}

/** Aborts when the run of the container that is there now has ended. */
function endOf(server: ApiServer, pod: KubeObject, container: string): () => Disposable & { readonly signal: AbortSignal } {
  const { namespace, name, uid } = pod.metadata
  const startOf = (one: KubeObject | undefined) => textAt(statusOf(one ?? pod, container), 'state', 'running', 'startedAt')
  const started = startOf(pod)
  return () => {
    const ended = new AbortController()
    const look = () => {
      const now = server.store.get('pods', namespace, name)
      if (now === undefined || now.metadata.uid !== uid || startOf(now) !== started) ended.abort()
    }
    const unsubscribe = server.store.subscribe('pods', ({ object: { metadata } }) => {
      if (metadata.name === name && metadata.namespace === namespace) look()
    })
    look()
    return { signal: ended.signal, [Symbol.dispose]: unsubscribe }
  }
}
