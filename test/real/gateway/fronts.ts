// The gateway behind what people have before it: Traefik with the objects of the page, nginx, and a balancer of connections.
import { request } from 'undici'
import { until } from '../metrics/servers.ts'
import { grpcTarget, tryGrpc } from './fronts/grpc.ts'
import { apply, ingressObjects, makeCluster, routeObjects } from './fronts/ingress-cluster.ts'
import { startBalancer, startNginx } from './fronts/plain-proxies.ts'
import { startServiceAddress } from './fronts/service-address.ts'
import { cutShort, cutsUploads } from './fronts/time-outs.ts'
import { gatewayApiKinds, startTraefik } from './fronts/traefik.ts'
import { type Front, host, strangeHost, tryFront } from './fronts/trials.ts'
import { machineAddress } from './site.ts'
import { TriedTarget } from './tried-target.ts'

const hastyMs = 2_000
/** What the page says of the gateway's place. */
const gatewayName = 'ballast-gateway.ballast-system.svc.cluster.local'

export async function behindIngress(): Promise<string> {
  await using stack = new AsyncDisposableStack()
  const target = stack.use(await TriedTarget.open({ hosts: [host], kinds: await gatewayApiKinds() }))
  const door = await target.door({ bind: '' })
  const servicePort = await makeCluster(target.site, door)
  const calls = await grpcTarget(stack, target.site)
  const address = await startServiceAddress(stack, servicePort, door.port)
  const names = { [gatewayName]: address }
  const traefik = await startTraefik(stack, target.site, { names, hastyMs })
  const { routes, grants } = routeObjects(traefik.routesPort)
  await apply(target.site, [...ingressObjects(), ...routes])
  const seen: string[] = []
  try {
    const ingress: Front = { name: 'an Ingress', port: traefik.port, hops: ['127.0.0.1'] }
    await untilLed(ingress)
    seen.push(await tryFront({ target, door, front: ingress }), await tryGrpc(ingress, door, calls))

    const route: Front = { name: 'an HTTPRoute', port: traefik.routesPort, hops: [machineAddress()] }
    await until('the HTTPRoute to be refused without its grant', async () => (await statusOf(route, host)) === 500)
    await apply(target.site, grants)
    await untilLed(route)
    seen.push(await tryFront({ target, door, front: route }), await tryGrpc(route, door, calls))
    const patient = { target, door, front: { ...ingress, name: 'Traefik' } }
    seen.push(await cutsUploads({ ...patient, front: { ...patient.front, port: traefik.hastyPort } }, patient, hastyMs))
    const flags = [`--serversTransport.forwardingTimeouts.responseHeaderTimeout=${hastyMs}ms`]
    const impatient = await startTraefik(stack, target.site, { names, hastyMs, flags })
    const front = { ...patient.front, name: "Traefik's responseHeaderTimeout", port: impatient.port }
    await untilLed(front)
    seen.push(await cutShort({ target, door, front }, hastyMs))
  } catch (cause) {
    throw new Error(`${cause instanceof Error ? cause.message : String(cause)}\n${traefik.output().slice(-2_000)}`, { cause })
  }
  return seen.join('; ')
}

export async function behindProxies(): Promise<string> {
  await using stack = new AsyncDisposableStack()
  const target = stack.use(await TriedTarget.open({ hosts: [host] }))
  const [door, told] = [await target.door(), await target.door({ proxyProtocol: true })]
  const nginx = await startNginx(stack, target.site, door, hastyMs)
  const seen = [await tryFront({ target, door, front: { name: 'nginx', port: nginx.port, hops: ['127.0.0.1'] } })]
  seen.push(
    await cutShort({ target, door, front: { name: "nginx's proxy_read_timeout", port: nginx.hastyPort, hops: [] } }, hastyMs),
  )
  for (const version of ['send-proxy', 'send-proxy-v2'] as const) {
    const port = await startBalancer(stack, target.site, told, version)
    const front: Front = { name: `HAProxy by ${version}`, port, hops: [] }
    // Nobody else can ask it.
    seen.push(await tryFront({ target, door: { ...told, port }, front }))
  }
  return seen.join('; ')
}

async function statusOf(front: Front, name: string): Promise<number> {
  const { statusCode, body } = await request(`http://127.0.0.1:${front.port}/`, { headers: { host: name } })
  await body.dump()
  return statusCode
}

/** The gateway answers through it. */
async function untilLed(front: Front): Promise<void> {
  await until(`${front.name} to lead to the gateway`, async () => {
    const { statusCode, body } = await request(`http://127.0.0.1:${front.port}/`, { headers: { host: strangeHost } })
    return (await body.text()) === 'Not Found\n' && statusCode === 404
  })
}
