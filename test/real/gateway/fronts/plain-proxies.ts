// nginx as the page configures it, and HAProxy as a balancer of connections: programs of this machine, before a gateway of this machine.
import { mkdirSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { freePorts } from '../../control-plane/free-ports.ts'
import { needProgramsOfImage } from '../../image/programs-of-image.ts'
import { needPrograms } from '../../machine-programs.ts'
import { until } from '../../metrics/servers.ts'
import { startProgram } from '../../mirror/laboratory/program.ts'
import type { Door, GatewaySite } from '../site.ts'
import { documentedText } from './documented.ts'

const documentedPlace = 'ballast-gateway.ballast-system.svc.cluster.local'

/** @returns its ports: as the page has it, and with the time-outs that it has without the page. @throws PartUnavailable */
export async function startNginx(
  stack: AsyncDisposableStack,
  site: GatewaySite,
  door: Door,
  hastyMs: number,
): Promise<{ readonly port: number; readonly hastyPort: number }> {
  await needPrograms('nginx')
  const [port = 0, hastyPort = 0] = await freePorts(2)
  const directory = join(site.directory, `nginx-${port}`)
  mkdirSync(directory)
  const documented = changed(documentedText('nginx', 'nginx'), {
    'listen 80;': `listen 127.0.0.1:${port};`,
    [documentedPlace]: `127.0.0.1:${door.port}`,
  })
  const server = documented.slice(documented.indexOf('server {'))
  const hasty = changed(server, { [`:${port};`]: `:${hastyPort};`, 'proxy_read_timeout 1h;': `proxy_read_timeout ${hastyMs}ms;` })
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(one => `${one}_temp_path ${directory}/${one};`)
  const text = [
    ...['daemon off;', 'master_process off;', `pid ${directory}/pid;`, 'error_log stderr;', 'events { }'],
    ...['http {', 'access_log off;', ...temporary, documented, hasty, '}', ''],
  ]
  const file = join(directory, 'nginx.conf')
  writeFileSync(file, text.join('\n'))
  await started(stack, port, 'nginx', ['-e', 'stderr', '-c', file])
  return { port, hastyPort }
}

/** @returns its port. @throws PartUnavailable */
export async function startBalancer(
  stack: AsyncDisposableStack,
  site: GatewaySite,
  door: Door,
  version: 'send-proxy' | 'send-proxy-v2',
): Promise<number> {
  await needProgramsOfImage()
  const [port = 0] = await freePorts(1)
  const text = changed(documentedText('A balancer of connections', 'haproxy'), {
    'bind :80': `bind 127.0.0.1:${port}`,
    [`${documentedPlace}:80`]: `127.0.0.1:${door.port}`,
    'send-proxy-v2': version,
  })
  const file = join(site.directory, `balancer-${port}.cfg`)
  writeFileSync(file, text)
  await started(stack, port, 'haproxy', ['-f', file])
  return port
}

/** @throws Error where the page has not what is to be changed for this machine */
function changed(text: string, changes: Readonly<Record<string, string>>): string {
  for (const [from, to] of Object.entries(changes)) {
    if (!text.includes(from)) throw new Error(`the page has no ${JSON.stringify(from)}`)
    text = text.replace(from, to)
  }
  return text
}

async function started(stack: AsyncDisposableStack, port: number, name: string, args: readonly string[]): Promise<void> {
  const program = startProgram(name, args)
  stack.defer(() => program.kill())
  await until(
    () => `${name} to listen: ${program.log()}`,
    () => {
      if (program.hasEnded()) throw new Error(`${name} ended: ${program.log()}`)
      return canConnect(port)
    },
  )
}

function canConnect(port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const socket = connect(port, '127.0.0.1', () => resolve(true))
  socket.once('error', () => resolve(false))
  return promise.finally(() => socket.destroy())
}
