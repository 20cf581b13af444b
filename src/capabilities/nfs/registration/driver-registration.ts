// A CSI driver before the kubelet of its node: a socket in the kubelet's folder tells of it, as node-driver-registrar's does, by the same name.
//
// The socket is made beside under a name that kubelets pass over, closed to everybody else, and then takes its name in one step: a kubelet finds it listening,
// and one that knew the socket of an earlier process registers the driver anew without having forgotten it in between, which would take it off the node.

import { chmodSync, mkdirSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import type { Check } from '#coordination/capability.ts'
import type { Clock } from '#kube/clock.ts'
import { Wake } from '#kube/controllers/wake.ts'
import { longestSocketPath, PluginDirectory } from '#kube/grpc/plugin-directory.ts'
import { liveAgain } from '#kube/grpc/plugin-lives.ts'
import { Registrar, registrationMethods } from '#kube/grpc/plugin-registration.ts'
import { SocketClient } from '#kube/grpc/socket-client.ts'
import { type Log, messageOf } from '#kube/log.ts'
import { isOutside, OutsideError } from '#kube/outside-error.ts'
import type { Random } from '#kube/random.ts'

const times = {
  /** The socket is looked at so often where nothing tells of it. */
  checkMs: 5_000,
  /** What the kubelet is being answered as it ends has so long. */
  answerMs: 500,
} as const

/** Sockets that have not got their name yet; kubelets pass over what begins with a dot. */
const unnamed = '.ballast-csi-'
const ownerOnly = 0o700

interface RegistrationOptions {
  readonly driver: string
  /** The driver's own socket, as the kubelet sees it. */
  readonly endpoint: string
  /** The folder in which kubelets look for plugins. */
  readonly registry: string
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
}

/** Registers a driver until it is disposed of; then the socket is gone, and the kubelet forgets the driver: last, after the driver has answered what it was asked. */
export class DriverRegistration implements AsyncDisposable {
  readonly path: string
  readonly #options: RegistrationOptions
  readonly #name: string
  readonly #wake: Wake
  readonly #stop = new AbortController()
  readonly #running: Promise<void>
  #isRegistered = false
  #isFirst = true
  #why = ''

  constructor(options: RegistrationOptions) {
    const { clock, random, log, driver, registry } = options
    this.#options = options
    this.#name = `${driver}-reg.sock`
    this.path = join(registry, this.#name)
    this.#wake = new Wake(clock)
    const wake = this.#wake
    const onEnd = (end: { readonly why: string } | { readonly error: unknown }) => {
      this.#isRegistered = false
      const why = 'why' in end ? end.why : messageOf(end.error)
      if (why !== this.#why) log.warn({ driver, why }, 'the driver is not registered: it tries again')
      this.#why = why
    }
    this.#running = liveAgain(life => this.#life(life), { clock, random, wake, onEnd }, this.#stop.signal)
    // Its failure is thrown to whoever disposes of it; nobody waits for it before.
    this.#running.catch((error: unknown) =>
      log.error({ driver, err: error, why: messageOf(error) }, 'the registration has ended by a fault of its own'),
    )
  }

  check(): Check {
    const waiting = this.#why === '' ? 'it waits for the kubelet' : `it waits for the kubelet: ${this.#why}`
    return { name: 'registration', ok: this.#isRegistered, state: this.#isRegistered ? 'registered' : waiting }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new DOMException('the registration is ended', 'AbortError'))
    await this.#running
  }

  /** From a socket to what is wrong with it, in words. @throws OutsideError */
  async #life(signal: AbortSignal): Promise<string> {
    const { driver, endpoint, registry, clock, log, random } = this.#options
    mkdirSync(registry, { recursive: true })
    using folder = new PluginDirectory({ path: registry, clock, log })
    const hidden = `${unnamed}${Math.floor(random() * 2 ** 32).toString(16)}.sock`
    for (const path of [this.path, join(registry, hidden)])
      if (Buffer.byteLength(path) > longestSocketPath)
        throw new OutsideError(`${path} has more than the ${longestSocketPath} bytes that the path of a socket may have`)
    await folder.sweep(unnamed, signal)
    // The newest takes the name of an older process, once: two that took it from each other would never end.
    const isTaken = !this.#isFirst && (await folder.answers(this.#name, signal))
    this.#isFirst = false
    signal.throwIfAborted()
    if (isTaken) return 'another process has registered the driver'
    let refusal: string | undefined
    const registrar = new Registrar({
      type: 'CSIPlugin',
      name: driver,
      endpoint,
      supportedVersions: ['1.0.0'],
      onStatus: error => {
        refusal = error
        if (error === undefined) this.#registered()
        this.#wake.wake()
      },
    })
    let stamp: string | undefined
    try {
      await registrar.listen(join(registry, hidden))
      chmodSync(join(registry, hidden), ownerOnly)
      renameSync(join(registry, hidden), this.path)
      stamp = folder.stamp(this.#name)
      using _changes = folder.onChange(() => this.#wake.wake())
      for (;;) {
        signal.throwIfAborted()
        if (refusal !== undefined) throw new OutsideError(`the kubelet does not take the driver: ${refusal}`)
        if (folder.stamp(this.#name) !== stamp) return 'its socket is gone'
        await this.#wake.wait(times.checkMs, signal)
      }
    } finally {
      // Another process may have its own there by now.
      if (stamp !== undefined && folder.stamp(this.#name) === stamp) folder.remove(this.#name)
      await registrar.end(clock.after(times.answerMs))
    }
  }

  #registered(): void {
    const { log, driver } = this.#options
    log.info({ driver }, 'the kubelet knows the driver')
    this.#isRegistered = true
    this.#why = ''
  }
}

/** How a registration stands for whoever probes it, as upstream's registrar answers: whether its socket is there and says the driver's name. */
export async function registrationHealth(
  {
    path,
    driver,
    clock,
    limitMs,
  }: { readonly path: string; readonly driver: string; readonly clock: Clock; readonly limitMs: number },
  signal: AbortSignal,
): Promise<{ readonly status: number; readonly body: string }> {
  using client = new SocketClient({ address: path, clock })
  try {
    const { name } = await client.ask(registrationMethods.info, {}, { limitMs, signal })
    return name === driver ? { status: 200, body: 'ok' } : { status: 500, body: `invalid driver name ${name}` }
  } catch (error) {
    signal.throwIfAborted()
    if (!isOutside(error)) throw error
    return { status: 500, body: `error getting info from node-registrar socket: ${messageOf(error)}` }
  }
}
