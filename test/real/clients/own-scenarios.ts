// Our own small programs with client-go and controller-runtime (`go/`).
import { libraryVersion, ownClientsPath } from './build.ts'
import type { ClientScenario } from './scenarios.ts'
import type { ClientSite } from './site.ts'

const withoutWatchList = { KUBE_FEATURE_WatchListClient: 'false' }

function own(name: string, program: string, environment: Readonly<Record<string, string>> = {}): ClientScenario {
  const library = program === 'manager' ? 'sigs.k8s.io/controller-runtime' : 'k8s.io/client-go'
  return {
    name,
    version: libraryVersion(library),
    command: [...Object.entries(environment).map(([key, value]) => `${key}=${value}`), 'clients', program],
    async run(site) {
      await makeDefaultAccount(site)
      const { code, stdout, stderr } = await site.run(await ownClientsPath(), [program], environment)
      if (code !== 0) throw new Error(`clients ${program} ended with ${code}: ${stdout}${stderr}`)
      return { exitCodes: [code], saw: stdout.trim().split('\n') }
    },
  }
}

/** What the controller manager would make: pods need it. */
export async function makeDefaultAccount(site: ClientSite, namespace = 'default'): Promise<void> {
  const path = `/api/v1/namespaces/${namespace}/serviceaccounts`
  await site.ask('POST', path, { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'default' } })
}

export const ownScenarios: readonly ClientScenario[] = [
  own('client-go-informers', 'informers', { KUBE_FEATURE_WatchListClient: 'true' }),
  own('client-go-informers-listing', 'informers', withoutWatchList),
  own('client-go-dynamic-informers', 'dynamic-informers'),
  own('client-go-metadata-informers', 'metadata-informers'),
  own('client-go-leader-election', 'leader-election'),
  own('client-go-typed-writes', 'typed-writes'),
  own('client-go-typed-kinds', 'typed-kinds'),
  own('controller-runtime-manager', 'manager'),
]
