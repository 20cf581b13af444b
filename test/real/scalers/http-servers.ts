// Real servers that answer by HTTP, filled with what `test/http-scaler-cases.ts` says.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { request } from 'undici'
import { httpCases } from '../../http-scaler-cases.ts'
import type { ScalerCase } from '../../scaler-cases.ts'
import { freePort } from '../control-plane/free-ports.ts'
import { goServer, pythonWith } from './programs.ts'
import { type RealServer, scratch, started } from './servers.ts'

/** @throws Error where it is refused */
export async function told(
  url: string,
  given: { readonly body: string; readonly headers?: Readonly<Record<string, string>> },
): Promise<string> {
  const { statusCode, body } = await request(url, { method: 'POST', ...given })
  const text = await body.text()
  if (statusCode > 299) throw new Error(`${url} answered with status ${statusCode}: ${text.slice(0, 500)}`)
  return text
}

function serverAt(port: number, version: string, stack: AsyncDisposableStack): RealServer {
  const moved = stack.move()
  return { port, address: `127.0.0.1:${port}`, version, [Symbol.asyncDispose]: () => moved.disposeAsync() }
}

/** @throws PartUnavailable */
async function startInflux(): Promise<RealServer> {
  const { program } = await goServer('influxd')
  await using stack = new AsyncDisposableStack()
  const [port, inner] = [await freePort(), await freePort()]
  const directory = scratch(stack)
  const lines = [
    'reporting-disabled = true',
    `bind-address = "127.0.0.1:${inner}"`,
    `[meta]\ndir = "${directory}/meta"`,
    `[data]\ndir = "${directory}/data"\nwal-dir = "${directory}/wal"`,
    `[http]\nbind-address = "127.0.0.1:${port}"\nflux-enabled = true\nauth-enabled = true`,
  ]
  const file = join(directory, 'influxdb.conf')
  writeFileSync(file, `${lines.join('\n')}\n`)
  await started(stack, program, ['run', '-config', file], port)
  const base = `http://127.0.0.1:${port}`
  const form = { 'content-type': 'application/x-www-form-urlencoded' }
  const login = { authorization: `Basic ${btoa('me:of-the-server')}` }
  const query = (text: string) => new URLSearchParams({ q: text }).toString()
  await told(`${base}/query`, { headers: form, body: query("CREATE USER me WITH PASSWORD 'of-the-server' WITH ALL PRIVILEGES") })
  await told(`${base}/query`, { headers: { ...form, ...login }, body: query('CREATE DATABASE shop') })
  const point = 'queue,of=mail length=7.5,jobs=3i,name="many" 1700000000'
  await told(`${base}/write?db=shop&precision=s`, { headers: login, body: point })
  return serverAt(port, 'InfluxDB 1.8.10, Flux', stack)
}

/** Points of whisper's files, and the server of Django that reads them. */
const graphiteProgram = `
import os, sys, time
root, port = sys.argv[1:3]
files = root + '/storage/whisper/shop'
for one in (files, root + '/storage/log/webapp', root + '/conf'):
    os.makedirs(one)
os.environ.update(GRAPHITE_ROOT=root, GRAPHITE_STORAGE_DIR=root + '/storage', GRAPHITE_CONF_DIR=root + '/conf', DJANGO_SETTINGS_MODULE='graphite.settings')
import whisper
now = int(time.time())
for name, points in {'queue': [(now - 180, 5), (now - 120, 7.5)], 'other': [(now - 120, 1)], 'empty': []}.items():
    path = files + '/' + name + '.wsp'
    whisper.create(path, [(60, 1440)])
    whisper.update_many(path, points)
from django.core.management import execute_from_command_line
execute_from_command_line(['graphite', 'runserver', '--noreload', '127.0.0.1:' + port])
`

/** @throws PartUnavailable */
async function startGraphite(): Promise<RealServer> {
  const python = await pythonWith('graphite', 'graphite-web==1.1.10', 'whisper==1.1.10', 'Django<4')
  await using stack = new AsyncDisposableStack()
  const port = await freePort()
  const directory = scratch(stack)
  const file = join(directory, 'serve.py')
  writeFileSync(file, graphiteProgram)
  await started(stack, python, [file, join(directory, 'graphite'), String(port)], port)
  return serverAt(port, 'graphite-web 1.1.10', stack)
}

/** moto, which answers as AWS does, filled by AWS's own client. */
const motoProgram = `
import datetime, sys
from moto.server import ThreadedMotoServer
import boto3
server = ThreadedMotoServer(ip_address='127.0.0.1', port=0, verbose=False)
server.start()
host, inner = server.get_host_and_port()
def client(service):
    return boto3.client(service, region_name='eu-west-1', endpoint_url=f'http://127.0.0.1:{inner}', aws_access_key_id='AKID', aws_secret_access_key='of-the-server')
sqs = client('sqs')
url = sqs.create_queue(QueueName='orders', Attributes={'VisibilityTimeout': '3600'})['QueueUrl']
for number in range(5):
    sqs.send_message(QueueUrl=url, MessageBody=str(number))
sqs.send_message(QueueUrl=url, MessageBody='later', DelaySeconds=900)
taken = 0
while taken < 2:
    taken += len(sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=1).get('Messages', []))
now = datetime.datetime.now(datetime.timezone.utc)
for minutes, value in ((40, 2.5), (20, 7.5)):
    data = {'MetricName': 'depth', 'Dimensions': [{'Name': 'queue', 'Value': 'orders'}], 'Timestamp': now - datetime.timedelta(minutes=minutes), 'Value': value}
    client('cloudwatch').put_metric_data(Namespace='shop', MetricData=[data])
# Whoever waits for the outer port finds everything there.
import socket, threading
outer = socket.create_server(('127.0.0.1', int(sys.argv[1])))
def pump(one, other):
    try:
        while data := one.recv(65536):
            other.sendall(data)
    except OSError:
        pass
    finally:
        one.close()
        other.close()
while True:
    near, _ = outer.accept()
    far = socket.create_connection(('127.0.0.1', inner))
    for pair in ((near, far), (far, near)):
        threading.Thread(target=pump, args=pair, daemon=True).start()
`

/** SQS and CloudWatch. @throws PartUnavailable */
export async function startMoto(): Promise<RealServer> {
  const python = await pythonWith('moto', 'moto[server,sqs,cloudwatch]==5.2.5')
  await using stack = new AsyncDisposableStack()
  const port = await freePort()
  const file = join(scratch(stack), 'serve.py')
  writeFileSync(file, motoProgram)
  await started(stack, python, [file, String(port)], port)
  return serverAt(port, 'moto 5.2.5', stack)
}

interface HttpServer {
  readonly start: () => Promise<RealServer>
  readonly cases: readonly ScalerCase[]
}

/** By the names of their recordings. */
export const httpServers: Readonly<Record<keyof typeof httpCases, HttpServer>> = {
  influxdb: { start: startInflux, cases: httpCases.influxdb },
  graphite: { start: startGraphite, cases: httpCases.graphite },
  sqs: { start: startMoto, cases: httpCases.sqs },
}
