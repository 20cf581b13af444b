// What stands before one backend when the gateway is measured: nothing, nginx, Go's reverse proxy, the HTTP add-on's interceptor, ours. Each
// is a process of its own; all have the same routes.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { freePort } from '../test/real/control-plane/free-ports.ts'
import { atEnd } from '../test/real/endings.ts'
import { gatewayPeers } from '../test/real/gateway/peers.ts'
import type { GatewaySite } from '../test/real/gateway/site.ts'
import { backendObjects, machineAddress } from '../test/real/gateway/site.ts'
import { needPrograms, placeOf } from '../test/real/machine-programs.ts'
import { until } from '../test/real/metrics/servers.ts'

export interface Peer {
  readonly name: string
  readonly port: number
  /** Whose processor time and memory count, with those of what it has started. */
  readonly pid: number
}

/** A process and those that it started. */
export function familyOf(pid: number): readonly number[] {
  const started = readdirSync(`/proc/${pid}/task`).flatMap(thread =>
    readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number),
  )
  return [pid, ...started.flatMap(familyOf)]
}

/** One of our Go programs that prints its port and goes on. */
export async function startPeer(stack: AsyncDisposableStack, ...args: readonly string[]) {
  // What a load leaves behind when it ends is told by the standard proxy line by line, and is no finding.
  const child = spawn(await gatewayPeers(), args, { stdio: ['pipe', 'pipe', 'ignore'] })
  endWith(stack, child)
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const line = async () => {
    const { value, done } = await lines.next()
    if (done === true) throw new Error(`${args.join(' ')} ended early`)
    return String(value)
  }
  return { child, pid: child.pid ?? 0, line, goOn: () => void child.stdin.write('\n') }
}

function endWith(stack: AsyncDisposableStack, child: ChildProcess): void {
  const isOver = atEnd(() => child.kill('SIGKILL'))
  stack.defer(async () => {
    if (child.exitCode === null && child.signalCode === null) {
      const gone = once(child, 'exit')
      child.kill('SIGKILL')
      await gone
    }
    isOver()
  })
}

/** The standard library's proxy with counts, a table of hosts and forwarding headers. */
export async function startReverseProxy(stack: AsyncDisposableStack, backend: number, routes: number): Promise<Peer> {
  const target = `http://${machineAddress()}:${backend}`
  const { pid, line } = await startPeer(stack, 'reverse-proxy', `-routes=${routes}`, `-target=${target}`)
  return { name: 'Go proxy', port: Number(await line()), pid }
}

/** One worker with as many kept connections as the others keep. @throws PartUnavailable without nginx */
export async function startNginx(stack: AsyncDisposableStack, directory: string, backend: number, routes: number): Promise<Peer> {
  await needPrograms('nginx')
  const port = await freePort()
  const names = Array.from({ length: routes }, (_, at) => `route-${at}.test`)
  const forwarded = ['X-Forwarded-For $proxy_add_x_forwarded_for', 'X-Forwarded-Host $http_host', 'X-Forwarded-Proto $scheme']
  const headers = ['Host $http_host', 'Connection ""', ...forwarded].map(header => `proxy_set_header ${header};`)
  const file = join(directory, `nginx-${port}.conf`)
  const scratch = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    name => `${name}_temp_path ${join(directory, `${name}-${port}`)};`,
  )
  writeFileSync(
    file,
    `daemon off; master_process off; pid ${join(directory, `nginx-${port}.pid`)}; error_log stderr error;
events { worker_connections 16384; }
http {
  access_log off; keepalive_requests 10000000; server_names_hash_max_size 8192; server_names_hash_bucket_size 64; ${scratch.join(' ')}
  upstream backend { server ${machineAddress()}:${backend}; keepalive 200; keepalive_requests 10000000; }
  server { listen 127.0.0.1:${port}; server_name ${names.join(' ')};
    location / { proxy_pass http://backend; proxy_http_version 1.1; proxy_buffering off; ${headers.join(' ')} } }
}
`,
  )
  const child = spawn(placeOf('nginx') ?? 'nginx', ['-e', 'stderr', '-c', file], { stdio: ['ignore', 'inherit', 'inherit'] })
  endWith(stack, child)
  await untilAnswers(port)
  return { name: 'nginx', port, pid: child.pid ?? 0 }
}

/** Makes `routes` InterceptorRoutes to the backend. */
export async function makeRoutes(site: GatewaySite, backend: number, routes: number): Promise<void> {
  await site.make(backendObjects('app', backend))
  await site.make(Array.from({ length: routes }, (_, at) => routeObject(`route-${at}`, 'app', backend)))
}

/** For the host `<name>.test`. */
export function routeObject(name: string, service: string, port: number) {
  return {
    apiVersion: 'http.keda.sh/v1beta1',
    kind: 'InterceptorRoute',
    metadata: { name, namespace: 'default' },
    spec: {
      target: { service, port },
      rules: [{ hosts: [`${name}.test`] }],
      scalingMetric: { concurrency: { targetValue: 100 } },
    },
  }
}

/** Something answers there at all, whatever it says. */
async function untilAnswers(port: number): Promise<void> {
  await until(`an answer at port ${port}`, () =>
    fetch(`http://127.0.0.1:${port}/`, { signal: AbortSignal.timeout(2_000) }).then(
      () => true,
      () => false,
    ),
  )
}
