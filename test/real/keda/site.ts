// A real control plane with KEDA's kinds, and the programs that act on ScaledObjects there: KEDA's operator, or ours.
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parse } from 'yaml'
import { openApi } from '#kube/client/api.ts'
import { openHttpTransport } from '#kube/client/http-transport.ts'
import { systemClock } from '#kube/clock.ts'
import { loadConfig } from '#kube/credentials/config.ts'
import { Informers } from '#kube/informers/informer.ts'
import { silentLog } from '#kube/log.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { systemRandom } from '#kube/random.ts'
import { servedKinds } from '../../../src/capabilities/autoscale/kinds/served-kinds.ts'
import { Autoscaling } from '../../../src/capabilities/autoscale/operator/autoscaling.ts'
import { scalerWorld } from '../../../src/capabilities/autoscale/scalers/testdata/scaler-world.ts'
import { makeCertificates } from '../control-plane/certificates.ts'
import { freePorts } from '../control-plane/free-ports.ts'
import { type ControlPlane, type ControlPlaneOptions, startControlPlane } from '../control-plane/start.ts'
import { atEnd } from '../endings.ts'
import { ended, until } from '../metrics/servers.ts'
import { upstreamPath, upstreamSource } from '../upstreams/build.ts'

export interface ToldEvent {
  readonly name: string
  readonly type: string
  readonly reason: string
  readonly note: string
}

/** Something that acts on ScaledObjects. */
export interface Operator extends AsyncDisposable {
  readonly output: () => string
}

const definitions = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions'

/** The definitions of KEDA's release. */
export async function kedaDefinitions(): Promise<readonly KubeObject[]> {
  const folder = join(await upstreamSource('keda'), 'config', 'crd', 'bases')
  return readdirSync(folder)
    .toSorted()
    .map(file => parse(readFileSync(join(folder, file), 'utf8')) as KubeObject)
}

export class KedaSite implements AsyncDisposable {
  readonly plane: ControlPlane
  readonly #stack: AsyncDisposableStack
  /** What ours told of. */
  readonly events: ToldEvent[] = []

  private constructor(plane: ControlPlane, stack: AsyncDisposableStack) {
    this.plane = plane
    this.#stack = stack
  }

  /** With KEDA's definitions, or ours. */
  static async start(kinds: 'upstream' | 'ours', options: Partial<ControlPlaneOptions> = {}): Promise<KedaSite> {
    await using stack = new AsyncDisposableStack()
    const plane = await startControlPlane({ scheduler: 'off', controllerManager: true, ...options })
    stack.defer(() => plane.stop())
    const wanted = kinds === 'upstream' ? await kedaDefinitions() : servedKinds.flatMap(({ definition }) => definition ?? [])
    for (const definition of wanted) await plane.client.want('POST', definitions, definition)
    for (const { metadata } of wanted)
      await until(`${metadata.name} to be served`, async () => {
        const { status } = Object(await plane.client.want('GET', `${definitions}/${metadata.name}`))
        return /"type":"Established","status":"True"|"status":"True","type":"Established"|"status":"True"[^}]*"type":"Established"/.test(
          JSON.stringify(status),
        )
      })
    return new KedaSite(plane, stack.move())
  }

  /** KEDA's operator, as its manifests start it but for certificates, which are given. */
  async upstream(): Promise<Operator & { readonly child: ChildProcess }> {
    const program = await upstreamPath('keda')
    const stack = new AsyncDisposableStack()
    this.#stack.use(stack)
    const directory = mkdtempSync(join(tmpdir(), 'ballast-keda-'))
    stack.defer(() => rmSync(directory, { recursive: true, force: true }))
    const { authority, server } = await makeCertificates()
    const files = { 'ca.crt': authority, 'tls.crt': server.certificate, 'tls.key': server.key }
    for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text, { mode: 0o600 })
    const [metrics, health, service] = await freePorts(3)
    const child = spawn(
      program,
      [
        `--metrics-bind-address=127.0.0.1:${metrics}`,
        `--health-probe-bind-address=127.0.0.1:${health}`,
        `--metrics-service-bind-address=127.0.0.1:${service}`,
        '--enable-cert-rotation=false',
        `--cert-dir=${directory}`,
        '--zap-log-level=error',
      ],
      {
        stdio: ['ignore', 'pipe', 'pipe'],
        env: {
          PATH: process.env['PATH'],
          KUBECONFIG: this.plane.kubeconfig,
          WATCH_NAMESPACE: '',
          POD_NAMESPACE: 'default',
          KEDA_CLUSTER_OBJECT_NAMESPACE: 'default',
        },
      },
    )
    const isOver = atEnd(() => child.kill('SIGKILL'))
    stack.defer(async () => {
      await ended(child)
      isOver()
    })
    let output = ''
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text
      })
    const upstream = { child, output: () => output, [Symbol.asyncDispose]: () => stack.disposeAsync() }
    await until(
      () => `KEDA's operator to be ready: ${output.slice(-2_000)}`,
      async () => {
        if (child.exitCode !== null) throw new Error(`KEDA's operator ended: ${output.slice(-4_000)}`)
        return await fetch(`http://127.0.0.1:${health}/readyz`).then(
          ({ ok }) => ok,
          () => false,
        )
      },
    )
    return upstream
  }

  /** Ours, with the same rights. */
  async ours(): Promise<Operator & { readonly autoscaling: Autoscaling }> {
    const stack = new AsyncDisposableStack()
    this.#stack.use(stack)
    const config = await loadConfig({ environment: {}, homeDirectory: '/', kubeconfig: this.plane.kubeconfig })
    const api = openApi(openHttpTransport(config, { clock: systemClock, random: systemRandom }), {
      clock: systemClock,
      userAgent: 'ballast-keda-check',
    })
    stack.defer(() => api.close())
    const stop = new AbortController()
    const around = { clock: systemClock, log: silentLog }
    const informers = stack.use(new Informers(api, { ...around, random: systemRandom, signal: stop.signal }))
    const autoscaling = stack.use(
      new Autoscaling({
        informers,
        ...around,
        api,
        events: {
          emit: ({ regarding, type, reason, note }) => {
            this.events.push({ name: regarding.name ?? '', type: type ?? 'Normal', reason, note })
          },
        },
        effects: { api, leadership: { assert: () => undefined } },
        world: stack.use(scalerWorld()),
        groups: [],
        given: async ({ trigger }) => ({ metadata: trigger.metadata, env: {}, auth: {} }),
      }),
    )
    await informers.allSynced(stop.signal)
    const running = autoscaling.run(stop.signal)
    const over = running.catch((error: unknown) => {
      if (!stop.signal.aborted) throw error
    })
    stack.defer(async () => {
      stop.abort()
      await over
    })
    return { autoscaling, output: () => autoscaling.state, [Symbol.asyncDispose]: () => stack.disposeAsync() }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync()
  }
}
