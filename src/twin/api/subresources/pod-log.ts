// …/log: the twin runs no containers; it tells what it knows of them, a line for each thing that happened.
import type { Node } from '#kube/objects/objects.ts'
import { badRequest, notFound, StatusError, statusBody } from '#kube/objects/status.ts'
import { itemsAt, textAt } from '../../json-value.ts'
import { plainText } from '../answers/answer.ts'
import type { ApiServer } from '../api-server.ts'
import type { WriteRequest } from '../object-writes.ts'
import type { TwinResponse } from '../request.ts'

/**
 * Lines about the container asked for. `isSilent`: whether the kubelet of a node does not answer.
 * @throws StatusError 400 for a container that is not there or not started, 500 where its kubelet is silent
 */
export function answerLog(server: ApiServer, { info, request }: WriteRequest, isSilent: (node: Node) => boolean): TwinResponse {
  const name = info.name ?? ''
  const pod = server.store.get('pods', info.namespace, name)
  if (pod === undefined) throw notFound({ group: '', resource: 'pods' }, name)
  const containers = itemsAt(pod, 'spec', 'containers').map(container => textAt(container, 'name') ?? '')
  const wanted = request.query.get('container') ?? containers[0] ?? ''
  if (!containers.includes(wanted)) throw badRequest(`container ${wanted} is not valid for pod ${name}`)
  const status = itemsAt(pod, 'status', 'containerStatuses').find(candidate => candidate['name'] === wanted)
  const started = textAt(status, 'state', 'running', 'startedAt')
  const node = textAt(pod, 'spec', 'nodeName') ?? ''
  const found: Node | undefined = server.store.get('nodes', undefined, node)
  if (found !== undefined && isSilent(found))
    throw new StatusError(statusBody(500, `Get "https://${node}:10250/containerLogs": the kubelet does not answer`, '', {}))
  if (started === undefined)
    throw badRequest(`container ${JSON.stringify(wanted)} in pod ${JSON.stringify(name)} is waiting to start`)
  return plainText(200, `${started} container ${wanted} of pod ${info.namespace ?? ''}/${name} started on node ${node}\n`)
}
