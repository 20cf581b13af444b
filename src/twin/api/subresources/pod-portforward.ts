// …/portforward: ports of a pod's containers over a WebSocket, as kubectl (SPDY within it) and other clients (channels) ask for them.
import { createHash } from 'node:crypto'
import type { KubeObject } from '#kube/objects/objects.ts'
import { badRequest } from '#kube/objects/status.ts'
import { podPort } from '../../containers/pod-http.ts'
import { type FindPort, forwardChannels, forwardStreams, type PodHttp, portIn } from '../../containers/port-forwarding.ts'
import type { WriteRequest } from '../object-writes.ts'
import type { TwinResponse } from '../request.ts'
import { agreedUpgrade, checkKubelet, type ReachParts, reachedPod } from './running-pod.ts'

const tunnel = 'SPDY/3.1+portforward.k8s.io'
const channels = 'v4.channel.k8s.io'
/** Ports that are forwarded over channels at once: each takes two of 256. */
const mostPorts = 64

/** Forwards where all is well. @throws StatusError in the words of kube-apiserver and kubelet */
export function answerPortForward(parts: ReachParts & { readonly http: PodHttp }, write: WriteRequest): TwinResponse {
  const { server, http } = parts
  const { request } = write
  const pod = reachedPod(parts, write)
  checkKubelet(parts, pod)
  const { protocol, accept } = agreedUpgrade(request, [tunnel, channels])
  const { namespace, name, uid } = pod.metadata
  const find: FindPort = port => {
    const now = server.store.get('pods', namespace, name)
    const isThere = now !== undefined && now.metadata.uid === uid
    return (isThere ? podPort(now, port) : undefined) ?? { fault: faultOf(pod, port, isThere) }
  }
  if (protocol === tunnel) accept(protocol, socket => forwardStreams(socket, find, http))
  else {
    const ports = portsIn(request.query.getAll('ports'))
    accept(protocol, socket => forwardChannels(socket, { ports, find }, http))
  }
  return { kind: 'whole', status: 101, headers: {}, body: '' }
}

/** What kubelet 1.36 said with containerd: for one that nobody listens at, and where the pod has gone. */
function faultOf({ metadata: { uid = '' } }: KubeObject, port: number, isThere: boolean): string {
  const sandbox = createHash('sha256').update(uid).digest('hex')
  const space = `/var/run/netns/cni-${uid}`
  const why = isThere
    ? `failed to execute portforward in network namespace "${space}": failed to connect to localhost:${port} inside namespace "${sandbox}", IPv4: dial tcp4 127.0.0.1:${port}: connect: connection refused IPv6 dial tcp6: address localhost: no suitable address found `
    : `failed to find sandbox "${sandbox}" in store: not found`
  return `error forwarding port ${port} to pod ${sandbox}, uid : ${why}`
}

/** @throws StatusError 400 in the kubelet's words */
function portsIn(texts: readonly string[]): readonly number[] {
  if (texts.length === 0) throw badRequest('query parameter "port" is required')
  const ports = texts.flatMap(text => {
    if (text === '') throw badRequest('query parameter "port" cannot be empty')
    return text.split(',').map(one => {
      const port = portIn(one)
      if (port === undefined) throw badRequest(`unable to parse ${JSON.stringify(text)} as a port`)
      return port
    })
  })
  if (ports.length > mostPorts) throw badRequest(`${ports.length} ports are more than ${mostPorts}`)
  return ports
}
