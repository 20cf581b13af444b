// A real control plane on which KEDA's HTTP add-on stands by the manifests of its release, with processes in network namespaces in place of its
// pods. Somebody asks for a target that is awake, somebody for one that sleeps, and KEDA's place before the scaler is taken.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { parse, parseAllDocuments } from 'yaml'
import { at, listAt } from '#kube/objects/object-fields.ts'
import { commandLine } from '../../cli/bundled.ts'
import { type ApiObject, apiPath } from '../control-plane/api-client.ts'
import { type ControlPlane, startControlPlane } from '../control-plane/start.ts'
import { kubectlOf } from '../helm/lifecycle.ts'
import { until } from '../metrics/servers.ts'
import { makeNetwork } from '../mirror/laboratory/network.ts'
import { upstreamPath, upstreamSource } from '../upstreams/build.ts'
import { around, asItsChart, deploymentOf, inOrder, namespace, type Program, programs } from './http-add-on-objects.ts'
import { PlacedPods, type PlacedProgram } from './placed-pods.ts'
import { Visitor } from './visitor.ts'
import { ports, type Target, type Wanted } from './visitor-words.ts'

const release = '0.15.0'
const deployments = `/apis/apps/v1/namespaces/${namespace}/deployments`
const slices = '/apis/discovery.k8s.io/v1/namespaces'
const services: Readonly<Record<Wanted, string>> = {
  proxy: 'keda-add-ons-http-interceptor-proxy',
  scaler: 'keda-add-ons-http-external-scaler',
}
/** Roll-outs with those that drain: interceptors twice over and one, the other two programs twice. */
const placesOfPods = 14
const planeHost = 253
const lookMs = 100
/** The pod of what sleeps takes so long to start: pods that hold its requests end meanwhile. */
const startMs = 12_000
const heldAtOnce = 9
const moreEachMs = 500

export class HttpAddOnSite implements AsyncDisposable {
  readonly plane: ControlPlane
  readonly pods: PlacedPods
  readonly visitor: Visitor
  readonly #stack: AsyncDisposableStack
  readonly #stop = new AbortController()
  readonly #going: Promise<void>[] = []
  #failure: Error | undefined
  #said = ''

  private constructor(plane: ControlPlane, pods: PlacedPods, visitor: Visitor, stack: AsyncDisposableStack) {
    this.plane = plane
    this.pods = pods
    this.visitor = visitor
    this.#stack = stack
  }

  /** The add-on runs, and both targets have been asked for. @throws PartUnavailable */
  static async open(): Promise<HttpAddOnSite> {
    const paths: Readonly<Record<Program, string>> = {
      interceptor: await upstreamPath('http-add-on-interceptor'),
      scaler: await upstreamPath('http-add-on-scaler'),
      operator: await upstreamPath('http-add-on-operator'),
    }
    await using stack = new AsyncDisposableStack()
    const directory = mkdtempSync(join(tmpdir(), 'ballast-http-add-on-'))
    stack.defer(() => rmSync(directory, { recursive: true, force: true }))
    const network = stack.use(await makeNetwork(placesOfPods))
    const place = await network.attachReachable('plane', planeHost)
    // Nobody sends a node's heartbeats here.
    const controllerFlags = ['--controllers=*,-node-lifecycle-controller,-taint-eviction-controller']
    const plane = await startControlPlane({ scheduler: 'off', controllerManager: true, place, controllerFlags })
    stack.defer(() => plane.stop())
    const kubectl = await kubectlOf(plane)
    const source = await upstreamSource('http-add-on-operator')
    const text = (await kubectl(['kustomize', join(source, 'config', 'default')]))
      // As its release does: the source names no version.
      .replaceAll(/ko:\/\/github\.com\/kedacore\/http-add-on\/(\w+)/g, `ghcr.io/kedacore/http-add-on-$1:${release}`)
      .replaceAll(/version: HEAD\b/g, `version: ${release}`)
    const manifests = parseAllDocuments(text).map(document => document.toJSON() as ApiObject)
    const kinds = join(await upstreamSource('keda'), 'config', 'crd', 'bases')
    const ofKeda = readdirSync(kinds).map(file => parse(readFileSync(join(kinds, file), 'utf8')) as ApiObject)
    for (const object of inOrder([...ofKeda, ...manifests.map(asItsChart), ...around(network.outside.address)]))
      await until(`${object.kind} ${object.metadata.name}`, async () => {
        const { status, body } = await plane.client.send('POST', apiPath(object, object.metadata.namespace), object)
        // A kind that was just defined is served a moment later.
        if (status >= 300 && status !== 404) throw new Error(`${object.metadata.name}: ${JSON.stringify(body)}`)
        return status < 300
      })
    const visitor = stack.use(new Visitor(network.outside.namespace))
    const pods = stack.use(
      new PlacedPods({
        ...{ plane, directory, places: network.nodes },
        server: [place.address, '443'],
        hosts: ['web', 'sleepy'].map(name => `${network.outside.address} ${name}.shop`),
        programOf: container => programOf(container, paths, visitor),
      }),
    )
    pods.start()
    const site = new HttpAddOnSite(plane, pods, visitor, stack.move())
    try {
      await site.until('the add-on is ready', async () => (await site.ready()).every(({ is, wanted }) => is === wanted))
      site.#go(() => site.#followEndpoints())
      await site.until('its Services lead to pods', () => /proxy[^;]+10\.[^;]+;.*scaler.*10\./.test(site.#said))
      visitor.begin()
      site.#go(sleeping(visitor, ready => site.#setReady('sleepy', ready)))
      const both: readonly Target[] = ['web', 'sleepy']
      await site.until('both targets answer', () =>
        both.every(target => visitor.asked.some(one => one.target === target && one.outcome === '200')),
      )
    } catch (cause) {
      await site[Symbol.asyncDispose]()
      throw cause
    }
    return site
  }

  async deployment(program: Program): Promise<ApiObject> {
    return this.plane.client.want('GET', `${deployments}/${deploymentOf(program)}`)
  }

  async templates(): Promise<readonly unknown[]> {
    const all = await Promise.all(programs.map(program => this.deployment(program)))
    return all.map(one => at(one, 'spec', 'template'))
  }

  /** An object of the add-on gets its ScaledObject from whoever operates now. */
  async operates(name: string): Promise<void> {
    const object = {
      apiVersion: 'http.keda.sh/v1alpha1',
      kind: 'HTTPScaledObject',
      metadata: { name, namespace: 'shop' },
      spec: {
        hosts: [`${name}.test`],
        scaleTargetRef: { name, kind: 'Deployment', apiVersion: 'apps/v1', service: name, port: ports.target },
        scalingMetric: { concurrency: { targetValue: 10 } },
      },
    }
    await this.plane.client.want('POST', apiPath(object, 'shop'), object)
    const path = `/apis/keda.sh/v1alpha1/namespaces/shop/scaledobjects/${name}`
    await this.until(`${name} has its ScaledObject`, async () => (await this.plane.client.send('GET', path)).status === 200)
  }

  /** What the operator's metrics answer to nobody, to a token that is none, to one without the right, and to one that has it. */
  async metricsAnswers(): Promise<readonly string[]> {
    const operator = this.pods.all.findLast(({ name }) => name.startsWith(deploymentOf('operator')))
    const tokens = [undefined, 'none', await this.#token('onlooker'), await this.#token('reader')]
    const answers = await Promise.all(
      tokens.map(token => this.visitor.get(`https://${operator?.place.address}:8443/metrics`, token)),
    )
    return answers.map(({ status, body }) => (status === 200 ? '200' : `${status} ${body.trim()}`))
  }

  async #token(account: string): Promise<string> {
    const review = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: { expirationSeconds: 3_600 } }
    const path = `/api/v1/namespaces/shop/serviceaccounts/${account}/token`
    return String(at(await this.plane.client.want('POST', path, review), 'status', 'token'))
  }

  async #setReady(target: Target, ready: boolean): Promise<void> {
    const path = `${slices}/shop/endpointslices/${target}-1`
    const [endpoint] = listAt(await this.plane.client.want('GET', path), 'endpoints')
    await this.plane.client.want('PATCH', path, { endpoints: [{ ...Object(endpoint), conditions: { ready } }] })
  }

  async until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
    await until(
      () => `${what}; ${this.#said}\n${this.pods.log}`,
      () => {
        this.pods.assertWell()
        if (this.#failure !== undefined) throw this.#failure
        return holds()
      },
    )
  }

  async ready(): Promise<readonly { readonly is: unknown; readonly wanted: unknown }[]> {
    const all = await Promise.all(programs.map(program => this.deployment(program)))
    return all.map(one => ({ is: at(one, 'status', 'readyReplicas'), wanted: at(one, 'spec', 'replicas') }))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    await Promise.all(this.#going)
    await this.#stack.disposeAsync()
  }

  #go(act: () => Promise<void>): void {
    const going = async () => {
      while (!this.#stop.signal.aborted) {
        await act()
        await pause(lookMs)
      }
    }
    this.#going.push(
      going().catch((cause: Error) => {
        if (!this.#stop.signal.aborted) this.#failure ??= cause
      }),
    )
  }

  /** As a kube-proxy: to those that are ready. */
  async #followEndpoints(): Promise<void> {
    const all = Reflect.get(
      Object(await this.plane.client.want('GET', `${slices}/${namespace}/endpointslices`)),
      'items',
    ) as ApiObject[]
    const of = (wanted: Wanted) =>
      all
        .filter(({ metadata: { labels = {} } }) => labels['kubernetes.io/service-name'] === services[wanted])
        .flatMap(slice => listAt(slice, 'endpoints'))
        .filter(endpoint => at(endpoint, 'conditions', 'ready') === true)
        .map(endpoint => String(listAt(endpoint, 'addresses')[0]))
        .toSorted()
    const now = { proxy: of('proxy'), scaler: of('scaler') }
    const said = `proxy ${now.proxy.join(', ')}; scaler ${now.scaler.join(', ')}`
    if (said === this.#said) return
    this.#said = said
    this.visitor.setEndpoints(now)
  }
}

/** What sleeps gets requests; once it is wanted its pod starts, which takes a while, and it sleeps again when nobody wants it. */
function sleeping(visitor: Visitor, setReady: (ready: boolean) => Promise<void>): () => Promise<void> {
  let state: 'asleep' | 'asked' | 'starting' | 'awake' = 'asleep'
  let wantedSinceMs = 0
  let askedMs = 0
  return async () => {
    // More come while it starts, at whichever pods are ready by then.
    if (state === 'starting' && Date.now() - askedMs > moreEachMs) {
      visitor.burst(1)
      askedMs = Date.now()
    }
    const isWanted = visitor.scaled.findLast(({ answers }) => answers !== undefined)?.answers?.sleepy.isActive === true
    if (state === 'asleep') {
      visitor.burst(heldAtOnce)
      state = 'asked'
    } else if (state === 'asked' && isWanted) {
      wantedSinceMs = Date.now()
      state = 'starting'
    } else if (state === 'starting' && Date.now() - wantedSinceMs > startMs) {
      await setReady(true)
      state = 'awake'
    } else if (state === 'awake' && !isWanted) {
      await setReady(false)
      state = 'asleep'
    }
  }
}

function programOf(
  { image, args = [] }: { readonly image: string; readonly args?: readonly string[] },
  paths: Readonly<Record<Program, string>>,
  visitor: Visitor,
): PlacedProgram {
  const [, upstream] = /http-add-on-(\w+):/.exec(image) ?? []
  const [first = ''] = args
  const program = programs.find(one => (upstream ?? first.replace('http-operator', 'operator')) === one)
  if (program === undefined) throw new Error(`no program for ${image} ${args.join(' ')}`)
  const probes = {
    interceptor: (address: string) => visitor.get(`http://${address}:${ports.admin}/readyz`),
    scaler: (address: string) => visitor.health(address),
    operator: (address: string) => visitor.get(`http://${address}:8081/readyz`),
  }
  return {
    kind: upstream === undefined ? 'ours' : 'upstream',
    command: upstream === undefined ? [process.execPath, commandLine, ...args] : [paths[program], ...args],
    isReady: async address => (await probes[program](address)).status === 200,
  }
}
