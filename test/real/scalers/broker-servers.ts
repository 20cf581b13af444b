// Real brokers that scalers ask, filled with what `test/scaler-broker-cases.ts` says.
import { chmodSync, globSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { request } from 'undici'
import { systemClock } from '#kube/clock.ts'
import { freePort } from '../control-plane/free-ports.ts'
import { needPrograms, placeOf } from '../machine-programs.ts'
import { runCommand } from '../run-command.ts'
import { type RealServer, said, scratch, started } from './servers.ts'

/** With a queue `jobs` of five messages, and an empty one; the address is AMQP's. @throws PartUnavailable */
export async function startRabbit(): Promise<RealServer & { readonly management: string }> {
  await needPrograms('rabbitmq-server')
  await using stack = new AsyncDisposableStack()
  const [port, management, distribution, names] = [await freePort(), await freePort(), await freePort(), await freePort()]
  const directory = scratch(stack)
  const file = (name: string, text: string) => {
    writeFileSync(join(directory, name), text)
    return join(directory, name)
  }
  const root = join(placeOf('rabbitmq-server') ?? '', '..', '..', 'root')
  const [erts] = globSync(join(root, 'usr/lib/erlang/erts-*/bin'))
  const [home] = globSync(join(root, 'usr/lib/rabbitmq/lib/rabbitmq_server-*'))
  if (erts === undefined || home === undefined)
    throw new Error("the machine's own RabbitMQ is not started: Debian's unpacked one is")
  // Debian's `erl` looks for its files where they would be installed.
  const lines = [
    `ROOTDIR='${join(root, 'usr/lib/erlang')}' BINDIR='${erts}' EMU=beam PROGNAME=erl`,
    'export ROOTDIR BINDIR EMU PROGNAME',
  ]
  chmodSync(file('erl', `#!/bin/sh\n${lines.join('\n')}\nexec "$BINDIR/erlexec" "$@"\n`), 0o755)
  const settings = [
    ...[`listeners.tcp.default = 127.0.0.1:${port}`, 'management.tcp.ip = 127.0.0.1', `management.tcp.port = ${management}`],
    ...['collect_statistics_interval = 500', 'default_user = worker', 'default_pass = of-the-server'],
  ]
  await started(stack, join(erts, 'epmd'), ['-address', '127.0.0.1', '-port', String(names)], names)
  const environment = {
    ...{ PATH: `${directory}:${erts}:${process.env['PATH']}`, HOME: directory, RUNNING_UNDER_SYSTEMD: '1', RABBITMQ_LOGS: '-' },
    ...{ ERL_EPMD_PORT: String(names), ERL_EPMD_ADDRESS: '127.0.0.1', RABBITMQ_DIST_PORT: String(distribution) },
    ...{ RABBITMQ_NODENAME: `scalers${port}@localhost`, RABBITMQ_MNESIA_DIR: join(directory, 'mnesia') },
    ...{ RABBITMQ_CONFIG_FILE: file('rabbitmq.conf', `${settings.join('\n')}\n`) },
    ...{ RABBITMQ_ENABLED_PLUGINS_FILE: file('plugins', '[rabbitmq_management].\n'), RABBITMQ_PID_FILE: join(directory, 'pid') },
  }
  const words = Object.entries(environment).map(([name, value]) => `${name}=${value}`)
  await started(stack, 'env', [...words, 'sh', join(home, 'sbin', 'rabbitmq-server')], management)
  const api = async (method: 'PUT' | 'POST' | 'GET', path: string, body?: unknown) => {
    const headers = { authorization: `Basic ${btoa('worker:of-the-server')}`, 'content-type': 'application/json' }
    const answer = await request(`http://127.0.0.1:${management}/api/${path}`, {
      ...{ method, headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const text = await answer.body.text()
    if (answer.statusCode > 299) throw new Error(`RabbitMQ, ${path}: ${answer.statusCode} ${text}`)
    return text
  }
  for (const name of ['jobs', 'none']) await api('PUT', `queues/%2F/${name}`, { durable: true })
  const message = { routing_key: 'jobs', payload: 'a job', payload_encoding: 'string', properties: {} }
  for (let count = 0; count < 5; count++) await api('POST', 'exchanges/%2F/amq.default/publish', message)
  // The management API counts at intervals.
  while (!(await api('GET', 'queues/%2F/jobs')).includes('"messages":5')) await systemClock.after(200)
  const version = /"rabbitmq_version":"([^"]*)"/.exec(await api('GET', 'overview'))?.[1] ?? 'unknown'
  const moved = stack.move()
  const places = { port, address: `127.0.0.1:${port}`, management: `127.0.0.1:${management}` }
  return { ...places, version: `RabbitMQ ${version}`, [Symbol.asyncDispose]: () => moved.disposeAsync() }
}

/** With four ready jobs in `mail` and two delayed ones. @throws PartUnavailable */
export async function startBeanstalkd(): Promise<RealServer> {
  await needPrograms('beanstalkd')
  await using stack = new AsyncDisposableStack()
  const port = await freePort()
  await started(stack, 'beanstalkd', ['-l', '127.0.0.1', '-p', String(port)], port)
  const put = (delay: number) => [`put 1 ${delay} 600 5`, 'a job']
  const lines = ['use mail', ...put(0), ...put(0), ...put(0), ...put(0), ...put(600), ...put(600)]
  await said(port, lines, text => text.split('INSERTED').length > 6)
  const version = (await runCommand('beanstalkd', ['-v'])).stdout.trim()
  const moved = stack.move()
  return { port, address: `127.0.0.1:${port}`, version, [Symbol.asyncDispose]: () => moved.disposeAsync() }
}
