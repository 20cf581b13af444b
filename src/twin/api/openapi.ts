import type { ApiServer } from './api-server.ts'
import type { TwinRequest, TwinResponse } from './request.ts'
export function answerOpenApi(_server: ApiServer, _request: TwinRequest): TwinResponse | undefined {
  return undefined
}
