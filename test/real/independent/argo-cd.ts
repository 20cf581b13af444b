// Argo CD's application controller, ApplicationSet controller and repository server with a Redis: an ApplicationSet makes Applications of a
// git repository, and people change both.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { freePorts } from '../control-plane/free-ports.ts'
import { needPrograms, placeOf } from '../machine-programs.ts'
import { commandOutput } from '../run-command.ts'
import { upstreamPath, upstreamSource, upstreamVersion } from '../upstreams/build.ts'
import { objectsIn } from './manifests.ts'
import type { Step, Suite } from './play.ts'
import type { Side } from './side.ts'

const namespace = 'argocd'
const inCluster = 'https://kubernetes.default.svc'
const apps = ['shop', 'blog', 'wiki'] as const
const later = 'later'

/** The same commit has the same name in the repositories of both sides. */
const madeBy = {
  ...{ GIT_AUTHOR_NAME: 'suite', GIT_AUTHOR_EMAIL: 'suite@example.test', GIT_AUTHOR_DATE: '2026-01-01T00:00:00Z' },
  ...{ GIT_COMMITTER_NAME: 'suite', GIT_COMMITTER_EMAIL: 'suite@example.test', GIT_COMMITTER_DATE: '2026-01-01T00:00:00Z' },
  ...{ GIT_CONFIG_NOSYSTEM: '1', GIT_CONFIG_GLOBAL: '/dev/null' },
}

const repository = (side: Side) => join(side.home, 'repository')

function git(side: Side, ...args: readonly string[]): Promise<string> {
  return commandOutput('git', ['-C', repository(side), ...args], { env: madeBy })
}

/** @returns the commit */
async function commit(side: Side, files: Readonly<Record<string, readonly object[] | null>>): Promise<string> {
  for (const [name, objects] of Object.entries(files)) {
    const path = join(repository(side), name)
    mkdirSync(join(path, '..'), { recursive: true })
    if (objects === null) await git(side, 'rm', '-q', '--ignore-unmatch', name)
    else writeFileSync(path, objects.map(object => stringify(object)).join('---\n'))
  }
  await git(side, 'add', '-A')
  await git(side, 'commit', '-q', '--allow-empty', '-m', 'change')
  return (await git(side, 'rev-parse', 'HEAD')).trim()
}

/** What is in the folder of an application; the second wave waits for the first, a hook comes after all. */
function filesOf(app: string, round: number): Readonly<Record<string, readonly object[]>> {
  const labels = { app }
  return {
    [`${app}/web.yaml`]: [
      {
        ...{ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'web', labels } },
        spec: {
          ...{ replicas: 0, selector: { matchLabels: labels } },
          template: {
            metadata: { labels, annotations: { round: String(round) } },
            spec: {
              containers: [
                { name: 'web', image: 'registry.example/web:1', resources: { limits: { cpu: '0.5', memory: '128Mi' } } },
              ],
            },
          },
        },
      },
      {
        ...{ apiVersion: 'v1', kind: 'Service', metadata: { name: 'web', annotations: { 'argocd.argoproj.io/sync-wave': '1' } } },
        spec: { selector: labels, ports: [{ port: 80, targetPort: 8080 }] },
      },
    ],
    [`${app}/settings.yaml`]: [
      { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'settings' }, data: { round: String(round), text: 'a\nb\n' } },
      { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'keys' }, stringData: { password: `secret-${round}` } },
      {
        ...{ apiVersion: 'v1', kind: 'ConfigMap', data: { done: String(round) } },
        metadata: {
          name: 'after',
          annotations: { 'argocd.argoproj.io/hook': 'PostSync', 'argocd.argoproj.io/hook-delete-policy': 'BeforeHookCreation' },
        },
      },
    ],
    [`${app}/rights.yaml`]: [
      { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: app } },
      {
        apiVersion: 'rbac.authorization.k8s.io/v1',
        kind: 'Role',
        metadata: { name: app },
        rules: [{ apiGroups: [''], resources: ['configmaps'], verbs: ['get'] }],
      },
      {
        ...{ apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'RoleBinding', metadata: { name: app } },
        roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: app },
        subjects: [{ kind: 'ServiceAccount', name: app }],
      },
    ],
  }
}

async function install(side: Side): Promise<void> {
  const program = await upstreamPath('argo-cd')
  const manifests = join(await upstreamSource('argo-cd'), 'manifests', 'install.yaml')
  const installed = objectsIn(manifests)
  await side.kubectl('create', 'namespace', namespace)
  const isPlaced = ({ metadata, kind }: (typeof installed)[number]) =>
    kind !== 'CustomResourceDefinition' && !/^Cluster/.test(kind) && metadata.namespace === undefined
  await side.applyKinds(
    ...installed.map(object => (isPlaced(object) ? { ...object, metadata: { ...object.metadata, namespace } } : object)),
    // Its server would write them.
    {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'argocd-secret', namespace },
      stringData: { 'server.secretkey': 'not-a-real-one', 'admin.password': '-' },
    },
  )
  await commandOutput('git', ['init', '-q', '-b', 'main', repository(side)], { env: madeBy })
  await commit(side, Object.assign({}, ...[...apps, later].map(app => filesOf(app, 0))) as ReturnType<typeof filesOf>)
  const [redis = 0, repositories = 0, ...others] = await freePorts(7)
  side.start('redis', placeOf('redis-server') ?? 'redis-server', [
    '--port',
    String(redis),
    '--bind',
    '127.0.0.1',
    '--save',
    '',
    '--appendonly',
    'no',
  ])
  const own = (name: string) => {
    const place = join(side.home, name)
    mkdirSync(place, { recursive: true })
    return place
  }
  const env = {
    ARGOCD_FAKE_IN_CLUSTER: 'true',
    ARGOCD_GPG_ENABLED: 'false',
    ARGOCD_TLS_DATA_PATH: own('tls'),
    ARGOCD_SSH_DATA_PATH: own('ssh'),
    ARGOCD_GNUPGHOME: own('gnupg'),
    ARGOCD_PLUGINSOCKFILEPATH: own('plugins'),
    HOSTNAME: 'argocd-application-controller-0',
  }
  const start = async (name: string, account: string, args: readonly string[]) => {
    const config = await side.accountConfig({ namespace, name: account })
    const more = { ...env, KUBECONFIG: config, ARGOCD_BINARY_NAME: `argocd-${name}` }
    side.start(
      name,
      program,
      [...args, `--namespace=${namespace}`, '--logformat=text'].filter(
        word => name !== 'repo-server' || !word.startsWith('--namespace'),
      ),
      more,
    )
  }
  const server = `127.0.0.1:${repositories}`
  await start('repo-server', 'argocd-repo-server', [
    ...[`--port=${repositories}`, '--address=127.0.0.1', '--metrics-address=127.0.0.1', `--metrics-port=${others[0]}`],
    ...[`--redis=127.0.0.1:${redis}`, '--disable-tls'],
  ])
  await start('application-controller', 'argocd-application-controller', [
    ...[`--redis=127.0.0.1:${redis}`, `--repo-server=${server}`, '--repo-server-plaintext', `--metrics-port=${others[1]}`],
    ...['--app-resync=30', '--self-heal-timeout-seconds=2'],
  ])
  await start('applicationset-controller', 'argocd-applicationset-controller', [
    ...[`--metrics-addr=127.0.0.1:${others[2]}`, `--probe-addr=127.0.0.1:${others[3]}`, `--webhook-addr=127.0.0.1:${others[4]}`],
    ...[`--argocd-repo-server=${server}`, '--repo-server-plaintext'],
  ])
}

const group = 'argoproj.io/v1alpha1'

/** Without a finalizer, which waits for ever where its project is not there. */
function application(side: Side, name: string, more: object = {}) {
  return {
    ...{ apiVersion: group, kind: 'Application', metadata: { name, namespace } },
    spec: specOf(side, name, more),
  }
}

const specOf = (side: Side, name: string, more: object = {}) => ({
  project: 'house',
  source: { repoURL: `file://${repository(side)}`, path: name, targetRevision: 'main' },
  destination: { server: inCluster, namespace: name },
  syncPolicy: { automated: { prune: true, selfHeal: true }, syncOptions: ['CreateNamespace=true'] },
  ...more,
})

const applicationSet = (side: Side, elements: readonly string[]) => ({
  ...{ apiVersion: group, kind: 'ApplicationSet', metadata: { name: 'all', namespace } },
  spec: {
    goTemplate: true,
    generators: [
      {
        list: {
          elements: elements.map(name => ({ name, apply: name === 'wiki' ? 'ServerSideApply=true' : 'ServerSideApply=false' })),
        },
      },
    ],
    template: {
      metadata: { name: '{{.name}}', labels: { of: 'all' }, finalizers: ['resources-finalizer.argocd.argoproj.io'] },
      spec: specOf(side, '{{.name}}', {
        syncPolicy: { automated: { prune: true, selfHeal: true }, syncOptions: ['CreateNamespace=true', '{{.apply}}'] },
      }),
    },
  },
})

const look = (side: Side, name: string, path: string) =>
  side.tryKubectl('get', 'application', name, '-n', namespace, '-o', `jsonpath=${path}`)

async function synced(side: Side, name: string, revision?: string): Promise<void> {
  let last = ''
  await side
    .until(`${name} to be synced`, async () => {
      side.stillRunning()
      last = (
        await look(
          side,
          name,
          '{.status.sync.status} {.status.operationState.phase} {.status.sync.revision} {.status.conditions}',
        )
      ).stdout
      return last.startsWith('Synced Succeeded ') && (revision === undefined || last.includes(revision))
    })
    .catch((cause: unknown) => {
      throw new Error(`${name} is ${last}`, { cause })
    })
}

/** As its page's button does: it asks the repository at once. */
const refresh = (side: Side, name: string) =>
  side.kubectl('annotate', 'application', name, '-n', namespace, 'argocd.argoproj.io/refresh=normal', '--overwrite')

async function begin(side: Side): Promise<void> {
  await side.apply(
    {
      ...{ apiVersion: group, kind: 'AppProject', metadata: { name: 'house', namespace } },
      spec: {
        description: 'all of the house',
        ...{
          sourceRepos: ['*'],
          destinations: [{ server: '*', namespace: '*' }],
          clusterResourceWhitelist: [{ group: '*', kind: '*' }],
        },
      },
    },
    applicationSet(side, apps),
  )
  for (const app of apps) await synced(side, app)
}

const steps: readonly Step[] = [
  {
    what: 'a commit changes an application',
    async change(side, round) {
      const app = apps[round % apps.length] ?? 'shop'
      const revision = await commit(side, filesOf(app, round + 1))
      await refresh(side, app)
      await synced(side, app, revision)
    },
  },
  {
    what: 'somebody changes an object by hand: it is put back',
    async change(side) {
      await side.kubectl('patch', 'configmap', 'settings', '-n', 'shop', '--type=merge', '-p', '{"data":{"text":"other"}}')
      await side.until('settings to be put back', async () =>
        (await side.kubectl('get', 'configmap', 'settings', '-n', 'shop', '-o', 'jsonpath={.data.text}')).startsWith('a'),
      )
      await synced(side, 'shop')
    },
  },
  {
    what: 'objects are deleted by hand: they come again',
    async change(side) {
      for (const name of ['shop', 'wiki']) await side.kubectl('delete', 'service/web', 'deployment/web', '-n', name)
      for (const name of ['shop', 'wiki']) {
        await side.until(
          `objects of ${name} to come again`,
          async () => (await side.tryKubectl('get', 'service/web', 'deployment/web', '-n', name)).code === 0,
        )
        await synced(side, name)
      }
    },
  },
  {
    what: 'a file comes and goes: its objects are pruned',
    async change(side, round) {
      const file = 'blog/more.yaml'
      const isThere = round % 2 === 0
      const objects = [{ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'more' }, data: { round: String(round) } }]
      const revision = await commit(side, { [file]: isThere ? objects : null })
      await refresh(side, 'blog')
      await synced(side, 'blog', revision)
      await side.until(
        'more',
        async () => ((await side.tryKubectl('get', 'configmap', 'more', '-n', 'blog')).code === 0) === isThere,
      )
    },
  },
  {
    what: 'the ApplicationSet has one more, and one less',
    async change(side, round) {
      const isThere = round % 2 === 0
      await side.apply(applicationSet(side, isThere ? [...apps, later] : apps))
      if (isThere) await synced(side, later)
      else await side.kubectl('wait', 'application', later, '-n', namespace, '--for=delete', '--timeout=120s')
    },
  },
  {
    what: 'an Application of a project that is not there says so',
    async change(side, round) {
      await side.apply(application(side, 'stray', { project: `nobody-${round}` }))
      await side.until('a condition of stray', async () =>
        (await look(side, 'stray', '{.status.conditions[*].type}')).stdout.includes('InvalidSpecError'),
      )
      await side.kubectl('delete', 'application', 'stray', '-n', namespace, '--timeout=120s')
    },
  },
]

export const argoCd: Suite = {
  name: 'Argo CD',
  told: `${upstreamVersion('argo-cd')}: application controller, ApplicationSet controller, repository server and a Redis; not its server, Dex and notifications`,
  async prepare() {
    await needPrograms('redis-server')
    await upstreamPath('argo-cd')
  },
  install,
  begin,
  steps,
  compared: [
    'applications.argoproj.io',
    'applicationsets.argoproj.io',
    'appprojects.argoproj.io',
    'deployments',
    'services',
    'configmaps',
    'roles',
    'leases',
  ],
}
