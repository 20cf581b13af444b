// What people do with kubectl in the containers of a real kubelet with containerd, and in those of a twin: exec, attach, port-forward, debug.
// The same commands run against both; what kubectl prints and its exit code are compared, but for names and numbers that are drawn.
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createConnection } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { systemClock } from '#kube/clock.ts'
import { startTwin } from '#twin/twin.ts'
import { kubectlPath, programPath } from '../control-plane/debian.ts'
import { ownImage } from '../image/own-image.ts'
import { pushProgram } from '../mirror/laboratory/images.ts'
import { type CommandResult, commandOutput, runCommand } from '../run-command.ts'
import { archivesIn, registryFiles, registryHost, startKubeletCluster } from './cluster.ts'

const image = `${registryHost}/acme/tools:1`
const limitMs = 120_000

interface Place {
  readonly kubectl: (args: readonly string[], input?: string) => Promise<CommandResult>
  readonly program: string
  readonly kubeconfig: string
}

/** What is done, and what of it is seen. */
interface SessionCase {
  readonly name: string
  readonly run: (place: Place) => Promise<string>
}

const web = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'web' },
  spec: {
    terminationGracePeriodSeconds: 1,
    containers: [
      {
        name: 'main',
        image,
        command: ['/bin/sh', '-c', 'mkdir /www; echo hello > /www/index.html; httpd -f -p 8080 -h /www'],
        ports: [{ containerPort: 8080 }],
        env: [{ name: 'COLOUR', value: 'green' }],
      },
    ],
  },
}
const twinAnnotations = { 'ballast.dev/twin-http': '[{ path: /, body: "hello\\n" }]' }

/** Where the twin differs, and why. */
const accepted: Readonly<Record<string, string>> = {
  'standard error': "the twin's shell has no >&",
  // Seen in two runs: kubectl shows nothing of it where input is piped, though the exit code in the status is that of the input.
  debug: 'what the container writes is shown',
  'debug of a copy': 'as debug',
  'debug of a node': 'as debug',
  'no such program': 'the twin says which programs its shell has, and ends with 127',
  'debug: what the status says afterwards': 'no user is told: images are not looked into',
  'debug: a name that is taken': 'the twin does not show how two containers differ',
}

const shown = ({ code, stdout, stderr }: CommandResult) => `code ${code}\n${stdout}${stderr === '' ? '' : `stderr: ${stderr}`}`

const asked = (name: string, args: string | readonly string[], input?: string): SessionCase => ({
  name,
  run: async ({ kubectl }) => shown(await kubectl(typeof args === 'string' ? args.split(' ') : args, input)),
})

const inShell = (script: string) => ['exec', 'web', '--', 'sh', '-c', script]
const state = "jsonpath={.status.ephemeralContainerStatuses[?(@.name=='NAME')]}"

const cases: readonly SessionCase[] = [
  asked('a command', inShell('hostname; echo $COLOUR')),
  asked('its exit code', inShell('exit 7')),
  asked('standard error', inShell('echo bad >&2; exit 1')),
  asked('no such program', 'exec web -- none'),
  asked('no such container', 'exec web -c none -- sh'),
  asked('no such pod', 'exec none -- sh'),
  asked('standard input', ['exec', '-i', 'web', '--', 'sh', '-c', 'cat'], 'typed\n'),
  { name: 'a port', run: place => forwarded(place, 8080, 2) },
  { name: 'a port at which nobody listens', run: place => forwarded(place, 81, 1) },
  asked('the proxy of the pod', ['get', '--raw', '/api/v1/namespaces/default/pods/web:8080/proxy/']),
  asked('a refused proxy', ['get', '--raw', '/api/v1/namespaces/default/pods/web:81/proxy/']),
  asked('debug', ['debug', 'web', '-i', `--image=${image}`, '-c', 'one', '--', 'sh'], 'sleep 1; hostname; sleep 1; exit 4\n'),
  {
    name: 'debug: what the status says afterwards',
    run: async ({ kubectl }) => {
      const code = `${state.replace('NAME', 'one').slice(0, -1)}.state.terminated.exitCode}`
      await kubectl(['wait', 'pod/web', `--for=${code}=4`, '--timeout=30s'])
      return shown(await kubectl(['get', 'pod', 'web', '-o', state.replace('NAME', 'one')]))
    },
  },
  asked('debug: a name that is taken', ['debug', 'web', `--image=${image}`, '-c', 'one', '--', 'sh']),
  asked(
    'debug of a copy',
    ['debug', 'web', '-i', `--image=${image}`, '-c', 'two', '--copy-to=copy', '--', 'sh'],
    'sleep 1; echo copied; sleep 1\n',
  ),
  asked('debug of a node', ['debug', 'node/n1', '-i', `--image=${image}`, '--', 'sh'], 'sleep 1; echo on a node; sleep 1\n'),
  asked(
    'run -i',
    ['run', 'typed', '-i', '--rm', `--image=${image}`, '--restart=Never', '--', 'sh'],
    'sleep 1; echo ran; sleep 1; exit 3\n',
  ),
]

/** What `port-forward` prints for a connection to the pod's port, and what that connection hears. */
async function forwarded({ program, kubeconfig }: Place, port: number, lines: number): Promise<string> {
  const child = spawn(program, [`--kubeconfig=${kubeconfig}`, 'port-forward', 'pod/web', `:${port}`])
  let text = ''
  const hear = (bytes: Buffer) => {
    text += bytes.toString()
  }
  child.stdout.on('data', hear)
  child.stderr.on('data', hear)
  const ended = new Promise<number | null>(resolve => child.once('close', resolve))
  try {
    while (!/\[::1\]:\d+ -> /.test(text)) {
      if (child.exitCode !== null) return text
      await pause(20)
    }
    const local = Number(/127\.0\.0\.1:(\d+)/.exec(text)?.[1])
    const heard = await exchange(local)
    if (port === 81) await ended
    else child.kill('SIGINT')
    const code = await ended
    return `code ${code}\n${text.replaceAll(String(local), 'LOCAL')}heard ${lines > 1 ? heard.replace(/^[\s\S]*\r\n\r\n/, '') : heard}`
  } finally {
    child.kill('SIGKILL')
  }
}

function exchange(port: number): Promise<string> {
  return new Promise(resolve => {
    let heard = ''
    const socket = createConnection(port, '127.0.0.1', () =>
      socket.write('GET / HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n'),
    )
    socket.on('data', bytes => {
      heard += bytes.toString()
    })
    socket.on('error', error => {
      heard += error.message
    })
    socket.on('close', () => resolve(heard))
  })
}

/** Names, numbers, times and places that are drawn anew each time. */
function normal(text: string): string {
  return text
    .replace(/\b[0-9a-f]{64}\b/g, 'ID')
    .replace(/cni-[0-9a-f-]{36}/g, 'cni-UID')
    .replace(/\b\d{4}-\d\d-\d\dT[\d:]+Z/g, 'TIME')
    .replace(/^[EWI]\d{4} [\d:.]+ +\d+ /gm, 'LOG ')
    .replace(/\b10\.\d+\.\d+\.\d+/g, 'ADDRESS')
    .replace(/node-debugger-n1-\w{5}/g, 'node-debugger-n1-NAME')
}

async function all(place: Place): Promise<ReadonlyMap<string, string>> {
  const seen = new Map<string, string>()
  for (const one of cases) seen.set(one.name, normal(await one.run(place)))
  return seen
}

export async function sessionsAsInKubelets(): Promise<string> {
  const program = await kubectlPath('newest')
  const placeOf = (kubeconfig: string): Place => ({
    program,
    kubeconfig,
    kubectl: (args, input) =>
      runCommand(program, [`--kubeconfig=${kubeconfig}`, ...args], {
        timeoutMs: limitMs,
        ...(input === undefined ? {} : { input }),
      }),
  })
  const apply = (kubeconfig: string, pod: object) =>
    commandOutput(program, [`--kubeconfig=${kubeconfig}`, 'apply', '-f', '-'], { input: JSON.stringify(pod), timeoutMs: limitMs })
  const ready = (kubeconfig: string) =>
    commandOutput(program, [`--kubeconfig=${kubeconfig}`, 'wait', 'pod/web', '--for=condition=Ready', '--timeout=120s'])
  const real = await (async () => {
    await using cluster = await startKubeletCluster({
      nodes: 1,
      archives: archivesIn(await ownImage()),
      taints: [],
      containerdFiles: registryFiles,
    })
    const shell = readFileSync(await programPath('bookworm', 'busybox-static', 'bin/busybox'))
    await pushProgram(cluster.outside.base, {
      repository: 'acme/tools',
      tag: '1',
      besides: 10,
      program: { path: 'bin/sh', content: shell },
      command: ['/bin/sh'],
    })
    const { kubeconfig } = cluster.plane
    await apply(kubeconfig, web)
    await ready(kubeconfig)
    return await all(placeOf(kubeconfig))
  })()
  const node = {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: 'n1' },
    status: {
      capacity: { cpu: '4', memory: '8Gi', pods: '110' },
      allocatable: { cpu: '4', memory: '8Gi', pods: '110' },
      conditions: [{ type: 'Ready', status: 'True' }],
    },
  }
  const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'default' } }
  await using twin = await startTwin({
    clock: systemClock,
    objects: [node, namespace],
    listen: { port: 0 },
    kubernetesVersion: '1.36',
    seed: 1,
  })
  using folder = temporaryFolder()
  const kubeconfig = join(folder.path, 'kubeconfig')
  writeFileSync(kubeconfig, await twin.kubeconfig())
  await apply(kubeconfig, { ...web, metadata: { ...web.metadata, annotations: twinAnnotations } })
  await ready(kubeconfig)
  const played = await all(placeOf(kubeconfig))
  const others = [...real].filter(([name, text]) => text !== played.get(name))
  const unknown = others.filter(([name]) => accepted[name] === undefined)
  if (unknown.length > 0)
    throw new Error([...unknown.map(([name, text]) => `${name}\n--- kubelet\n${text}\n--- twin\n${played.get(name)}`)].join('\n'))
  return `kubectl ${real.size} times in the containers of a kubelet with containerd and of a twin: the same in ${real.size - others.length}, known to differ in ${others.length}`
}

function temporaryFolder(): Disposable & { readonly path: string } {
  const path = mkdtempSync(join(tmpdir(), 'ballast-sessions-'))
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) }
}
