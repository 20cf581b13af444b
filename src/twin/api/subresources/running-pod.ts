// What exec, attach and port-forward ask before they reach into a pod.
import type { KubeObject, Node } from '#kube/objects/objects.ts'
import { badRequest, notFound, StatusError, statusBody } from '#kube/objects/status.ts'
import { textAt } from '../../json-value.ts'
import type { ApiServer } from '../api-server.ts'
import type { WriteRequest } from '../object-writes.ts'
import type { TwinRequest } from '../request.ts'

export interface ReachParts {
  readonly server: ApiServer
  /** Whether the kubelet of a node does not answer. */
  readonly isSilent: (node: Node) => boolean
  /** Whether the caller may create what it only gets by a WebSocket's verb. */
  readonly mayCreate: () => boolean
}

/** The pod that a session is asked for. @throws StatusError 403 for who may only read, 404 for none */
export function reachedPod({ server, mayCreate }: ReachParts, { info }: WriteRequest): KubeObject {
  const name = info.name ?? ''
  // A WebSocket begins with a GET, which less is needed for: from 1.35 on both are asked for.
  if (info.verb === 'get' && server.minor >= 35 && !mayCreate())
    throw new StatusError(
      statusBody(
        403,
        `pods ${JSON.stringify(name)} is forbidden: creating pods/${info.subresource ?? ''} is not allowed`,
        'Forbidden',
        {},
      ),
    )
  const pod = server.store.get('pods', info.namespace, name)
  if (pod === undefined) throw notFound({ group: '', resource: 'pods' }, name)
  return pod
}

/** @throws StatusError where the pod has no node yet, or its kubelet is silent */
export function checkKubelet({ server, isSilent }: ReachParts, pod: KubeObject): void {
  const node = textAt(pod, 'spec', 'nodeName') ?? ''
  if (node === '') throw badRequest(`pod ${pod.metadata.name} does not have a host assigned`)
  const found: Node | undefined = server.store.get('nodes', undefined, node)
  if (found !== undefined && isSilent(found))
    throw new StatusError(statusBody(500, `error dialing backend: the kubelet of ${node} does not answer`, '', {}))
}

/** The client's offer, and the first of `protocols` that is in it. @throws StatusError 400 where it makes none, or none that is spoken here */
export function agreedUpgrade({ upgrade }: TwinRequest, protocols: readonly string[]) {
  if (upgrade === undefined)
    throw badRequest(`Upgrade request required: the twin speaks WebSockets with ${protocols.join(' or ')}, and no SPDY`)
  const protocol = protocols.find(one => upgrade.protocols.includes(one))
  if (protocol === undefined)
    throw badRequest(`none of the subprotocols ${upgrade.protocols.join(', ')} is one of ${protocols.join(', ')}`)
  return { protocol, accept: upgrade.accept }
}
