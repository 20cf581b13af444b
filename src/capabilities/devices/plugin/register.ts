// Tells the kubelet of a plugin. It calls the plugin back before it answers, so that must serve already.

import { join } from 'node:path'
import { Client, credentials } from '@grpc/grpc-js'
import type { Clock } from '#kube/clock.ts'
import { OutsideError } from '#kube/outside-error.ts'
import { kubeletSocket } from '../names.ts'
import { apiVersion, registerMethod } from './plugin-api.ts'
import { serverOptions } from './plugin-server.ts'

/** The kubelet gives its call back ten seconds. */
const registerLimitMs = 15_000

/** The kubelet did not take a plugin, or is not there. */
export class NotRegistered extends OutsideError {
  override readonly name = 'NotRegistered'
}

/**
 * @param endpoint name of the plugin's socket in `directory`
 * @throws NotRegistered with what the kubelet said; `signal.reason`
 */
export async function register(
  { directory, endpoint, resource }: { readonly directory: string; readonly endpoint: string; readonly resource: string },
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  signal.throwIfAborted()
  const client = new Client(`unix://${join(directory, kubeletSocket)}`, credentials.createInsecure(), {
    'grpc.default_authority': 'localhost',
    'grpc.enable_retries': 0,
    'grpc.service_config_disable_resolution': 1,
    'grpc.use_local_subchannel_pool': 1,
  })
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const call = client.makeUnaryRequest(
    registerMethod.path,
    value => registerMethod.request.encode(value),
    bytes => registerMethod.response.decode(bytes),
    { version: apiVersion, endpoint, resourceName: resource, options: serverOptions },
    error => (error === null ? resolve() : reject(new NotRegistered(error.details, { cause: error }))),
  )
  const cancelTimer = clock.schedule(registerLimitMs, () => call.cancel())
  const onAbort = () => call.cancel()
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    await promise
  } catch (error) {
    signal.throwIfAborted()
    throw error
  } finally {
    cancelTimer()
    signal.removeEventListener('abort', onAbort)
    client.close()
  }
}
