// How kubelets find plugins of the kinds that listen: a socket in the folder of plugins, over which the kubelet asks who it is.

import { Server } from '@grpc/grpc-js'
import { flag, message, text, texts } from '../protobuf-message.ts'
import { method } from './method.ts'
import { answering, definition, listenAt, serverLimits } from './served-method.ts'

const service = '/pluginregistration.Registration'

export const registrationMethods = {
  info: method(
    `${service}/GetInfo`,
    message({}),
    message({ type: text(1), name: text(2), endpoint: text(3), supportedVersions: texts(4) }),
  ),
  notify: method(`${service}/NotifyRegistrationStatus`, message({ pluginRegistered: flag(1), error: text(2) }), message({})),
} as const

interface RegistrarOptions {
  /** What kind of plugin it is: `CSIPlugin`, `DRAPlugin`. */
  readonly type: string
  readonly name: string
  /** The path of its own socket, as the kubelet sees it. */
  readonly endpoint: string
  readonly supportedVersions: readonly string[]
  /** Called with what is wrong, or with nothing where the kubelet took the plugin. */
  readonly onStatus: (error: string | undefined) => void
}

/** Tells kubelets of a plugin. Each that starts asks anew. */
export class Registrar {
  readonly #server = new Server(serverLimits)

  constructor({ type, name, endpoint, supportedVersions, onStatus }: RegistrarOptions) {
    const { info, notify } = registrationMethods
    this.#server.addService(
      { GetInfo: definition(info), NotifyRegistrationStatus: definition(notify) },
      {
        GetInfo: answering(info, () => ({ type, name, endpoint, supportedVersions })),
        NotifyRegistrationStatus: answering(notify, ({ pluginRegistered, error }) => {
          onStatus(pluginRegistered ? undefined : error || 'the kubelet says no reason')
          return {}
        }),
      },
    )
  }

  /** Listens at a path. @throws OutsideError where nobody can */
  listen(path: string): Promise<void> {
    return listenAt(this.#server, path)
  }

  /** What is being answered is still answered, until `limit` is over. */
  async end(limit: Promise<unknown>): Promise<void> {
    const answered = new Promise<void>(resolve => {
      this.#server.tryShutdown(() => resolve())
    })
    await Promise.race([answered, limit])
    this.#server.forceShutdown()
  }

  /** The socket is gone then, and kubelets forget the plugin. */
  close(): void {
    this.#server.forceShutdown()
  }
}
