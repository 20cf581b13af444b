// `ballast look` on a real cluster, by an account that may only read what it looks at: silent where nothing is wrong, and true where real
// programs undo each other's work.
import { deepStrictEqual, ok, strictEqual } from 'node:assert'
import { readFileSync } from 'node:fs'
import { tokenKubeconfig } from '../../controller-process.ts'
import { commandLine } from '../ballast/site.ts'
import type { Check } from '../check.ts'
import { runCommand } from '../run-command.ts'
import { FightingCluster } from './fighting-cluster.ts'
import { fight } from './record.ts'

interface Said {
  readonly code: number | null
  readonly look: {
    readonly present: readonly { readonly name: string; readonly isOff: boolean }[]
    readonly rivalries: readonly { readonly verb: string; readonly target: string; readonly certainty: string }[]
    readonly unknown: readonly string[]
  }
}

const reads = (apiGroups: readonly string[], resources: readonly string[]) => ({ apiGroups, resources, verbs: ['list'] })

/** What `look` has to read to say all that it can. */
const rules = [
  reads(
    [''],
    ['nodes', 'pods', 'namespaces', 'services', 'replicationcontrollers', 'persistentvolumes', 'persistentvolumeclaims'],
  ),
  reads(['apps'], ['deployments', 'replicasets', 'statefulsets', 'daemonsets']),
  reads(['batch'], ['jobs', 'cronjobs']),
  reads(['policy'], ['poddisruptionbudgets']),
  reads(['storage.k8s.io'], ['storageclasses', 'csinodes']),
  reads(['scheduling.k8s.io'], ['priorityclasses']),
  reads(['resource.k8s.io'], ['deviceclasses', 'resourceclaims', 'resourceclaimtemplates', 'resourceslices']),
  reads(['autoscaling'], ['horizontalpodautoscalers']),
  reads(['autoscaling.k8s.io'], ['verticalpodautoscalers']),
  reads(['events.k8s.io'], ['events']),
]

/** An account of these rights and no others; the file ends with the stack. */
async function account(
  cluster: FightingCluster,
  name: string,
  granted: readonly object[],
  stack: AsyncDisposableStack,
): Promise<string> {
  const { client, kubeconfig } = cluster.plane
  const accounts = '/api/v1/namespaces/kube-tools/serviceaccounts'
  const rbac = '/apis/rbac.authorization.k8s.io/v1'
  await client.want('POST', accounts, { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name } })
  const role = { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRole', metadata: { name }, rules: granted }
  await client.want('POST', `${rbac}/clusterroles`, role)
  await client.want('POST', `${rbac}/clusterrolebindings`, {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRoleBinding',
    metadata: { name },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name },
    subjects: [{ kind: 'ServiceAccount', name, namespace: 'kube-tools' }],
  })
  const review = await client.want('POST', `${accounts}/${name}/token`, {
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'TokenRequest',
    spec: { expirationSeconds: 3_600 },
  })
  const token = String(Reflect.get(Object(Reflect.get(review, 'status')), 'token'))
  return stack.use(tokenKubeconfig(readFileSync(kubeconfig, 'utf8'), token)).file
}

async function looked(kubeconfig: string): Promise<Said> {
  const args = [commandLine, 'look', '--kubeconfig', kubeconfig, '-o', 'json']
  const { code, stdout, stderr } = await runCommand(process.execPath, args, { timeoutMs: 120_000 })
  ok(stdout.startsWith('{'), `look: ${code} ${stderr}`)
  return { code, look: JSON.parse(stdout) }
}

const shown = ({ look }: Said) => look.rivalries.map(({ certainty, verb, target }) => `${certainty} ${verb} ${target}`).toSorted()

export const lookChecks: readonly Check[] = [
  {
    name: 'look: a real cluster where nothing is wrong, one where real programs fight, and rights that are missing',
    async run() {
      await using stack = new AsyncDisposableStack()
      const cluster = stack.use(await FightingCluster.start())
      const reader = await account(cluster, 'reader', rules, stack)
      for (const name of ['steady', 'hot-steady']) await cluster.deploy(name, { cpu: '500m', memory: '1Gi' })
      const quiet = await looked(reader)
      deepStrictEqual([quiet.code, quiet.look.present, shown(quiet)], [0, [], []])
      await cluster.deploy('descheduler', { namespace: 'kube-tools', image: 'registry.k8s.io/descheduler/descheduler:v0.36.0' })
      await cluster.deploy('vpa-updater', { namespace: 'kube-tools', image: 'registry.k8s.io/autoscaling/vpa-updater:1.8.1' })
      await cluster.sleepingCronJob('nightly-descheduler', 'registry.k8s.io/descheduler/descheduler:v0.36.0')
      await fight(cluster)
      const seen = await looked(reader)
      strictEqual(seen.code, 3)
      deepStrictEqual(seen.look.present.map(({ name, isOff }) => `${name}${isOff ? ', off' : ''}`).toSorted(), [
        'VPA',
        'descheduler',
        'descheduler, off',
      ])
      deepStrictEqual(shown(seen), ['fights evicts shop/web', 'fights scales Deployment shop/app'])
      const blind = await looked(
        await account(
          cluster,
          'blind',
          rules.filter(({ apiGroups }) => !apiGroups.includes('events.k8s.io')),
          stack,
        ),
      )
      deepStrictEqual([blind.code, shown(blind)], [3, ['could fight evicts what both may reach']])
      ok(blind.look.unknown.some(line => /no Events are here \(or this account may not read them\)/.test(line)))
      return `${cluster.plane.serverVersion}: silent and 0; then 3 with ${shown(seen).join(', ')}; without Events ${shown(blind).join(', ')}`
    },
  },
]
