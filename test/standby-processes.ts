// Every process that elects a leader, as its pod begins it, and what its probes ask. `PORT` is where it is asked, `FOLDER` a folder of the test's own.
interface StandbyProcess {
  readonly args: readonly string[]
  /** Which Lease its replicas share. */
  readonly lease: string
  readonly scheme?: 'https'
  readonly files?: Readonly<Record<string, string>>
  /** What is asked until it answers 200. */
  readonly ready: string
  /** All that answers 200, whoever leads. */
  readonly paths: readonly string[]
  /** What `ready` says of who stands by; absent: it has upstream's words, which know no such thing. */
  readonly says?: RegExp
  /** What it says of who leads. */
  readonly leads?: RegExp
}

const own = {
  ready: '/readyz?verbose',
  paths: ['/livez', '/readyz', '/healthz', '/readyz?verbose'],
  says: /leader-election ok: standby/,
  leads: /leader-election ok: leading/,
} as const

const configuration = `apiVersion: ballast.dev/v1alpha1
kind: BallastConfiguration
dashboard: {listen: '127.0.0.1:0'}
`

const policy = `apiVersion: descheduler/v1alpha2
kind: DeschedulerPolicy
profiles: [{name: p, pluginConfig: [{name: RemoveDuplicates}], plugins: {balance: {enabled: [RemoveDuplicates]}}}]
`

export const standbyProcesses: Readonly<Record<string, StandbyProcess>> = {
  controller: {
    args: ['controller', '--webhook-host', '127.0.0.1', '--webhook-port', '0', '--health-probe-bind-address', '127.0.0.1:PORT'],
    lease: 'ballast-controller',
    ...own,
  },
  apiserver: {
    args: ['apiserver', '--health-probe-bind-address', '127.0.0.1:PORT', '--api-port', '0', '--config', 'FOLDER/config.yaml'],
    files: { 'config.yaml': configuration },
    lease: 'ballast-apiserver',
    ...own,
  },
  'reloader with HA': {
    args: ['reloader', '--metrics-addr=127.0.0.1:PORT', '--enable-ha'],
    lease: 'stakater-reloader-lock',
    ...own,
    paths: [...own.paths, '/live'],
  },
  descheduler: {
    args: [
      'descheduler',
      '--policy-config-file=FOLDER/policy.yaml',
      '--descheduling-interval=10s',
      '--leader-elect=true',
      '--leader-elect-resource-namespace=ballast-system',
      '--secure-port=PORT',
      '--bind-address=127.0.0.1',
      '--kubeconfig=FOLDER/kubeconfig',
    ],
    files: { 'policy.yaml': policy },
    lease: 'descheduler',
    scheme: 'https',
    ready: '/healthz?verbose',
    paths: ['/healthz', '/healthz?verbose', '/healthz/Descheduler'],
  },
}
