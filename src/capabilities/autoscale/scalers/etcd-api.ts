// What is asked of etcd (`etcdserverpb` of version 3): numbers of fields are the contract.

import type { Method } from '#coordination/external-scaler-api.ts'
import { flag, integer, list, message, nested, sentText, text } from '#kube/protobuf-message.ts'

const keyValue = message({ key: text(1), value: text(5) })
const rangeRequest = message({ key: text(1), limit: integer(3) })
const rangeResponse = message({ kvs: list(2, keyValue) })
const authenticateRequest = message({ name: text(1), password: text(2) })
const authenticateResponse = message({ token: text(2) })
const watchCreateRequest = message({ key: sentText(1), progressNotify: flag(4) })
const watchRequest = message({ createRequest: nested(1, watchCreateRequest) })
const event = message({ kv: nested(2, keyValue) })
const watchResponse = message({
  isCanceled: flag(4),
  compactRevision: integer(5),
  cancelReason: text(6),
  events: list(11, event),
})

const method = <Request, Response>(
  path: string,
  request: Method<Request, Response>['request'],
  response: Method<Request, Response>['response'],
): Method<Request, Response> => ({ path: `/etcdserverpb.${path}`, request, response })

export const etcdApi = {
  range: method('KV/Range', rangeRequest, rangeResponse),
  authenticate: method('Auth/Authenticate', authenticateRequest, authenticateResponse),
  watch: method('Watch/Watch', watchRequest, watchResponse),
} as const
