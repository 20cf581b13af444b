// What is asked of Temporal (`temporal.api.workflowservice.v1`): numbers of fields are the contract.

import type { Method } from '#coordination/external-scaler-api.ts'
import { flag, integer, list, message, nested, text } from '#kube/protobuf-message.ts'

const taskQueue = message({ name: text(1), kind: integer(2) })
const stats = message({ backlog: integer(1) })
const deploymentVersion = message({ buildId: text(1), deploymentName: text(2) })
const versionTaskQueue = message({ name: text(1), type: integer(2), stats: nested(3, stats) })

const method = <Request, Response>(
  name: string,
  request: Method<Request, Response>['request'],
  response: Method<Request, Response>['response'],
): Method<Request, Response> => ({ path: `/temporal.api.workflowservice.v1.WorkflowService/${name}`, request, response })

/** `TaskQueueKind` of a queue that is not a worker's own. */
export const normalQueue = 1
/** `TaskQueueType` */
export const queueTypes = { workflow: 1, activity: 2, nexus: 3 } as const
/** `WorkerDeploymentVersionStatus`, as far as it decides anything. */
export const versionStatus = { current: 2, ramping: 3, draining: 4 } as const

export const temporalApi = {
  describeTaskQueue: method(
    'DescribeTaskQueue',
    message({ namespace: text(1), taskQueue: nested(2, taskQueue), taskQueueType: integer(3), reportStats: flag(8) }),
    message({ stats: nested(5, stats) }),
  ),
  describeVersion: method(
    'DescribeWorkerDeploymentVersion',
    message({ namespace: text(1), deploymentVersion: nested(3, deploymentVersion), reportTaskQueueStats: flag(4) }),
    message({ info: nested(1, message({ status: integer(14) })), taskQueues: list(2, versionTaskQueue) }),
  ),
  countWorkflows: method(
    'CountWorkflowExecutions',
    message({ namespace: text(1), query: text(2) }),
    message({ count: integer(1) }),
  ),
} as const
