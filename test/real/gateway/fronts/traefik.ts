// Traefik as a program of this machine, with the rights of the control plane's administrator. It reads Ingresses and the Gateway API.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'
import type { ApiObject } from '../../control-plane/api-client.ts'
import { freePorts } from '../../control-plane/free-ports.ts'
import { until } from '../../metrics/servers.ts'
import { startProgram } from '../../mirror/laboratory/program.ts'
import { moduleSource, upstreamPath } from '../../upstreams/build.ts'
import type { GatewaySite } from '../site.ts'

/** Those that this Traefik was built for. */
const gatewayApi = { path: 'sigs.k8s.io/gateway-api', version: 'v1.4.0' } as const

export interface Traefik {
  /** Ingresses are served at two entry points: one is as Traefik has it without settings, one gives a request `hastyMs` to be read. */
  readonly port: number
  readonly hastyPort: number
  /** This entry point is for a Gateway. */
  readonly routesPort: number
  readonly output: () => string
}

/** The definitions of the Gateway API's standard channel. @throws PartUnavailable */
export async function gatewayApiKinds(): Promise<readonly ApiObject[]> {
  const folder = join(await moduleSource(gatewayApi), 'config', 'crd', 'standard')
  return readdirSync(folder)
    .map(file => parse(readFileSync(join(folder, file), 'utf8')) as ApiObject)
    .filter(({ kind }) => kind === 'CustomResourceDefinition')
}

/** `names` is what its names of hosts lead to, as a cluster's DNS would say; `flags` are more of Traefik's own. @throws PartUnavailable */
export async function startTraefik(
  stack: AsyncDisposableStack,
  site: GatewaySite,
  {
    names,
    hastyMs,
    flags = [],
  }: { readonly names: Readonly<Record<string, string>>; readonly hastyMs: number; readonly flags?: readonly string[] },
): Promise<Traefik> {
  const program = await upstreamPath('traefik')
  const [port = 0, hastyPort = 0, routesPort = 0, pingPort = 0] = await freePorts(4)
  const hosts = join(site.directory, `hosts-${port}`)
  const lines = Object.entries(names).map(([name, address]) => `${address} ${name}`)
  writeFileSync(hosts, ['127.0.0.1 localhost', ...lines, ''].join('\n'))
  const started = startProgram(
    'unshare',
    [
      ...['-m', 'sh', '-c', 'mount --bind "$0" /etc/hosts && exec "$@"', hosts, program],
      ...[`--entryPoints.web.address=127.0.0.1:${port}`, '--entryPoints.web.asDefault=true'],
      ...[`--entryPoints.hasty.address=127.0.0.1:${hastyPort}`, '--entryPoints.hasty.asDefault=true'],
      `--entryPoints.hasty.transport.respondingTimeouts.readTimeout=${hastyMs}ms`,
      `--entryPoints.routes.address=127.0.0.1:${routesPort}`,
      `--entryPoints.ping.address=127.0.0.1:${pingPort}`,
      ...['--ping=true', '--ping.entryPoint=ping'],
      ...['--providers.kubernetesIngress=true', '--providers.kubernetesIngress.allowExternalNameServices=true'],
      ...['--providers.kubernetesGateway=true', '--global.checkNewVersion=false', '--global.sendAnonymousUsage=false'],
      '--log.noColor=true',
      ...flags,
    ],
    { env: { KUBECONFIG: site.plane.kubeconfig } },
  )
  stack.defer(() => started.kill())
  await until(
    () => `Traefik to be ready: ${started.log().slice(-2_000)}`,
    async () => {
      if (started.hasEnded()) throw new Error(`Traefik ended: ${started.log().slice(-4_000)}`)
      return await fetch(`http://127.0.0.1:${pingPort}/ping`).then(
        ({ ok }) => ok,
        () => false,
      )
    },
  )
  return { port, hastyPort, routesPort, output: started.log }
}
