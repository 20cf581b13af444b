// cert-manager's controller, cainjector and webhook, each with the rights of its chart: issuers, 20 certificates, renewals, and what people
// do to them.
import { freePorts } from '../control-plane/free-ports.ts'
import type { Package } from '../other-people/packages.ts'
import { rendered } from '../other-people/rendered.ts'
import { peerArchives, peerProgram } from '../upstreams/peer-archives.ts'
import { askedHere, objectsIn } from './manifests.ts'
import type { Step, Suite } from './play.ts'
import type { Side } from './side.ts'

const { version } = peerArchives['cert-manager-controller']
const namespace = 'cert-manager'
const apps = 'apps'
/** What the chart calls its objects. */
const named = 'theirs-cert-manager'

const chart: Package = {
  name: 'cert-manager-run',
  origin: { archive: 'cert-manager', version },
  form: { chart: 'deploy/charts/cert-manager', flags: ['--set=crds.enabled=true'] },
  namespace,
}

async function install(side: Side): Promise<void> {
  const { manifests } = await rendered(chart)
  const [webhook = 0, health = 0, ...metrics] = await freePorts(6)
  await side.kubectl('create', 'namespace', namespace)
  await side.kubectl('create', 'namespace', apps)
  await side.applyKinds(...objectsIn(manifests).map(object => askedHere(object, webhook)))
  const start = async (program: 'controller' | 'cainjector' | 'webhook', account: string, args: readonly string[]) => {
    const config = await side.accountConfig({ namespace, name: account })
    side.start(program, await peerProgram(`cert-manager-${program}`), [`--kubeconfig=${config}`, ...args], { KUBECONFIG: config })
  }
  const metricsAt = (index: number) => `--metrics-listen-address=127.0.0.1:${metrics[index]}`
  await start('webhook', `${named}-webhook`, [
    ...[`--secure-port=${webhook}`, `--healthz-port=${health}`, metricsAt(0)],
    `--dynamic-serving-ca-secret-namespace=${namespace}`,
    `--dynamic-serving-ca-secret-name=${named}-webhook-ca`,
    '--dynamic-serving-dns-names=localhost',
  ])
  await start('cainjector', `${named}-cainjector`, ['--leader-election-namespace=kube-system', metricsAt(1)])
  await start('controller', named, [
    ...[`--cluster-resource-namespace=${namespace}`, '--leader-election-namespace=kube-system', metricsAt(2)],
    `--internal-healthz-listen-address=127.0.0.1:${metrics[3]}`,
  ])
  const probe = side.write('probe.json', JSON.stringify(issuer('ClusterIssuer', 'probe', { selfSigned: {} })))
  await side.until('the webhook of cert-manager', async () => {
    side.stillRunning()
    return (await side.tryKubectl('create', '--dry-run=server', '-f', probe)).code === 0
  })
}

const group = 'cert-manager.io/v1'
const issuer = (kind: 'Issuer' | 'ClusterIssuer', name: string, spec: object) => ({
  ...{ apiVersion: group, kind, metadata: kind === 'Issuer' ? { name, namespace: apps } : { name } },
  spec,
})

function certificate(name: string, spec: object, place = apps) {
  return {
    ...{ apiVersion: group, kind: 'Certificate', metadata: { name, namespace: place } },
    spec: {
      ...{ secretName: `${name}-tls`, dnsNames: [`${name}.example.test`], privateKey: { algorithm: 'ECDSA', size: 256 } },
      ...{ issuerRef: { name: 'house', kind: 'ClusterIssuer' }, ...spec },
    },
  }
}

/** Certificates are of these kinds, in turn. */
const kinds: readonly object[] = [
  {},
  { usages: ['server auth', 'client auth'], subject: { organizations: ['example'] }, commonName: 'web' },
  { privateKey: { algorithm: 'Ed25519', rotationPolicy: 'Always' } },
  {
    additionalOutputFormats: [{ type: 'DER' }, { type: 'CombinedPEM' }],
    secretTemplate: { labels: { use: 'web' }, annotations: { by: 'us' } },
  },
  { issuerRef: { name: 'own', kind: 'Issuer' }, duration: '2160h', renewBeforePercentage: 30 },
  { ipAddresses: ['10.1.2.3'], uris: ['spiffe://example.test/web'], emailAddresses: ['a@example.test'], revisionHistoryLimit: 2 },
]
const count = 20
const names = Array.from({ length: count }, (_, index) => `web-${index}`)

const certificates = names.map((name, index) => certificate(name, kinds[index % kinds.length] ?? {}))

async function areReady(side: Side): Promise<void> {
  const conditions = '{range .items[*]}{.metadata.name}={.status.conditions[?(@.type=="Ready")].status} {end}'
  let last = ''
  await side
    .until('certificates to be ready', async () => {
      side.stillRunning()
      last = await side.kubectl('get', 'certificates', '-n', apps, '-o', `jsonpath=${conditions}`)
      return names.every(name => last.split(' ').includes(`${name}=True`))
    })
    .catch((cause: unknown) => {
      throw new Error(`${last}: ${[...side.complaints().keys()].slice(-8).join('\n')}`, { cause })
    })
}

async function begin(side: Side): Promise<void> {
  await side.apply(
    issuer('ClusterIssuer', 'self-signed', { selfSigned: {} }),
    certificate(
      'house',
      {
        isCA: true,
        commonName: 'house',
        issuerRef: { name: 'self-signed', kind: 'ClusterIssuer' },
        dnsNames: undefined,
        duration: '8760h',
      },
      namespace,
    ),
    issuer('ClusterIssuer', 'house', { ca: { secretName: 'house-tls' } }),
    issuer('Issuer', 'own', { selfSigned: {} }),
  )
  await side.apply(...certificates)
  await areReady(side)
}

const secretOf = (round: number) => `${names[(round * 7) % count]}-tls`

const steps: readonly Step[] = [
  {
    what: 'a Secret is deleted: its certificate is issued anew',
    async change(side, round) {
      const before = await side.kubectl('get', 'secret', secretOf(round), '-n', apps, '-o', 'jsonpath={.metadata.uid}')
      await side.kubectl('delete', 'secret', secretOf(round), '-n', apps)
      await side.until(`Secret ${secretOf(round)} to come again`, async () => {
        const { code, stdout } = await side.tryKubectl(
          'get',
          'secret',
          secretOf(round),
          '-n',
          apps,
          '-o',
          'jsonpath={.metadata.uid}',
        )
        return code === 0 && stdout !== before
      })
      await areReady(side)
    },
  },
  {
    what: 'names of a certificate change',
    async change(side, round) {
      const name = names[(round * 3 + 1) % count] ?? ''
      const dnsNames = [`${name}.example.test`, `round-${round}.example.test`]
      await side.kubectl('patch', 'certificate', name, '-n', apps, '--type=merge', '-p', JSON.stringify({ spec: { dnsNames } }))
      await side.until(`${name} to have its new names`, async () => {
        const told = await side.kubectl(
          'get',
          'certificate',
          name,
          '-n',
          apps,
          '-o',
          'jsonpath={.status.conditions[?(@.type=="Ready")].observedGeneration} {.metadata.generation}',
        )
        const [seen, is] = told.split(' ')
        return seen === is
      })
      await areReady(side)
    },
  },
  {
    what: 'what the webhook refuses is refused',
    async change(side) {
      const file = side.write('refused.json', JSON.stringify(certificate('refused', { dnsNames: [], duration: '5m' })))
      const { code, stderr } = await side.tryKubectl('apply', '-f', file)
      if (code === 0 || !stderr.includes('denied the request'))
        throw new Error(`a bad certificate was not refused on the ${side.which} server: ${stderr}`)
    },
  },
  {
    what: 'an Ingress asks for a certificate',
    async change(side, round) {
      const name = `shop-${round % 3}`
      await side.apply({
        apiVersion: 'networking.k8s.io/v1',
        kind: 'Ingress',
        metadata: {
          name,
          namespace: apps,
          annotations: { 'cert-manager.io/cluster-issuer': 'house', 'cert-manager.io/private-key-algorithm': 'ECDSA' },
        },
        spec: {
          tls: [{ hosts: [`${name}.example.test`], secretName: `${name}-tls` }],
          defaultBackend: { service: { name, port: { number: 80 } } },
        },
      })
      await side.kubectl('wait', 'certificate', `${name}-tls`, '-n', apps, '--for=create', '--timeout=120s')
      await side.kubectl('wait', 'certificate', `${name}-tls`, '-n', apps, '--for=condition=Ready', '--timeout=120s')
    },
  },
  {
    what: 'a certificate waits for an issuer that is not there, and then is',
    async change(side, round) {
      const issuerName = `late-${round}`
      await side.apply(certificate('late', { issuerRef: { name: issuerName, kind: 'Issuer' } }))
      await side.until('a request to wait', async () =>
        (await side.kubectl('get', 'certificaterequests', '-n', apps, '-o', 'jsonpath={.items[*].spec.issuerRef.name}')).includes(
          issuerName,
        ),
      )
      await side.apply(issuer('Issuer', issuerName, { selfSigned: {} }))
      await side.kubectl('wait', 'certificate', 'late', '-n', apps, '--for=condition=Ready', '--timeout=120s')
    },
  },
  {
    what: 'certificates are deleted and made again',
    async change(side, round) {
      const again = [(round * 5 + 2) % count, (round * 5 + 3) % count]
      for (const index of again) await side.kubectl('delete', 'certificate', names[index] ?? '', '-n', apps)
      await side.apply(...again.flatMap(index => certificates[index] ?? []))
      await areReady(side)
    },
  },
]

export const certManager: Suite = {
  name: 'cert-manager',
  told: `cert-manager ${version}: controller, cainjector and webhook; not ACME, whose solvers are pods`,
  async prepare() {
    for (const program of ['controller', 'cainjector', 'webhook'] as const) await peerProgram(`cert-manager-${program}`)
    await rendered(chart)
  },
  install,
  begin,
  steps,
  compared: [
    ...['certificates', 'certificaterequests', 'issuers', 'clusterissuers', 'secrets', 'ingresses'],
    ...['validatingwebhookconfigurations', 'mutatingwebhookconfigurations', 'leases'],
  ],
}
