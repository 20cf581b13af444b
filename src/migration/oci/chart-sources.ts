// Where charts of classic repositories are published as OCI artefacts, by the repository's address and the chart's name.
import { parse } from 'yaml'
import { z } from 'zod'
import { mirrorAddress } from '#doctor/mirror-charts.ts'
import { InputError } from '#kube/problem.ts'

export interface ChartSource {
  /** Address of the classic repository; how it is written does not matter (`addressKey`). */
  readonly url: string
  /** Names of charts; `any`: all of that repository. */
  readonly charts: readonly string[] | 'any'
  /** Where they are; `<chart>` stands for the chart's name. */
  readonly oci: string
  /** How the registry writes a version. */
  readonly tag: 'as-written' | 'with-v' | 'without-v'
  /** The first version that the registry has, where that is known. */
  readonly since?: string
  /** The oldest version that was seen in use there: whether older ones are there has to be looked up. */
  readonly seen?: string
}

/** A chart that upstream does not publish as an OCI artefact. */
interface Unpublished {
  readonly url: string
  readonly charts: readonly string[]
  /** Where it is asked for. */
  readonly asked?: string
  /** What a mirror of others has of it. */
  readonly mirrored: Pick<ChartSource, 'since' | 'seen'>
}

/** Each address was seen in use by a public repository, of which `seen` is the oldest version, or is said by upstream's own manual. */
const published: readonly ChartSource[] = [
  { url: 'charts.jetstack.io', charts: 'any', oci: 'oci://quay.io/jetstack/charts/<chart>', tag: 'with-v', seen: '1.17.1' },
  {
    url: 'stakater.github.io/stakater-charts',
    charts: ['reloader'],
    oci: 'oci://ghcr.io/stakater/charts/reloader',
    tag: 'without-v',
  },
  {
    url: 'kubernetes-sigs.github.io/node-feature-discovery/charts',
    charts: ['node-feature-discovery'],
    oci: 'oci://registry.k8s.io/nfd/charts/node-feature-discovery',
    tag: 'without-v',
    since: '0.18.0',
  },
  {
    url: 'intel.github.io/helm-charts',
    charts: 'any',
    oci: 'oci://ghcr.io/intel/helm-charts/<chart>',
    tag: 'without-v',
    seen: '0.34.0',
  },
  {
    url: 'charts.external-secrets.io',
    charts: ['external-secrets'],
    oci: 'oci://ghcr.io/external-secrets/charts/external-secrets',
    tag: 'without-v',
  },
  {
    url: 'prometheus-community.github.io/helm-charts',
    charts: 'any',
    oci: 'oci://ghcr.io/prometheus-community/charts/<chart>',
    tag: 'without-v',
  },
  {
    url: 'grafana.github.io/helm-charts',
    charts: ['grafana-operator'],
    oci: 'oci://ghcr.io/grafana/helm-charts/grafana-operator',
    tag: 'without-v',
  },
  ...Object.entries({ grafana: '8.12.0', loki: '6.30.1', promtail: '6.16.6' }).map(
    ([chart, seen]): ChartSource => ({
      url: 'grafana.github.io/helm-charts',
      charts: [chart],
      oci: `oci://ghcr.io/grafana/helm-charts/${chart}`,
      tag: 'without-v',
      seen,
    }),
  ),
  {
    url: 'cloudnative-pg.github.io/charts',
    charts: ['cloudnative-pg', 'plugin-barman-cloud'],
    oci: 'oci://ghcr.io/cloudnative-pg/charts/<chart>',
    tag: 'without-v',
  },
  { url: 'coredns.github.io/helm', charts: ['coredns'], oci: 'oci://ghcr.io/coredns/charts/coredns', tag: 'without-v' },
  {
    url: 'piraeus.io/helm-charts',
    charts: ['snapshot-controller'],
    oci: 'oci://ghcr.io/piraeusdatastore/helm-charts/snapshot-controller',
    tag: 'without-v',
    seen: '5.0.3',
  },
  {
    url: 'charts.goauthentik.io',
    charts: ['authentik'],
    oci: 'oci://ghcr.io/goauthentik/helm-charts/authentik',
    tag: 'without-v',
  },
  {
    url: 'kyverno.github.io/kyverno',
    charts: ['kyverno', 'policy-reporter'],
    oci: 'oci://ghcr.io/kyverno/charts/<chart>',
    tag: 'without-v',
  },
  {
    url: 'istio-release.storage.googleapis.com/charts',
    charts: ['base', 'istiod'],
    oci: 'oci://gcr.io/istio-release/charts/<chart>',
    tag: 'without-v',
  },
  {
    url: 'charts.rook.io/release',
    charts: ['rook-ceph', 'rook-ceph-cluster'],
    oci: 'oci://ghcr.io/rook/<chart>',
    tag: 'with-v',
    seen: '1.19.2',
  },
  { url: 'helm.cilium.io', charts: ['cilium'], oci: 'oci://quay.io/cilium/charts/cilium', tag: 'without-v', seen: '1.19.1' },
  {
    url: 'openebs.github.io/openebs',
    charts: ['openebs'],
    oci: 'oci://ghcr.io/openebs/charts/openebs',
    tag: 'without-v',
    seen: '4.4.0',
  },
  ...['bjw-s.github.io/helm-charts', 'bjw-s-labs.github.io/helm-charts'].map(
    (url): ChartSource => ({
      url,
      charts: ['app-template'],
      oci: 'oci://ghcr.io/bjw-s-labs/helm/app-template',
      tag: 'without-v',
      seen: '3.7.3',
    }),
  ),
]

const unpublished: readonly Unpublished[] = [
  {
    url: 'kubernetes-sigs.github.io/metrics-server',
    charts: ['metrics-server'],
    asked: 'kubernetes-sigs/metrics-server #1527',
    mirrored: { since: '3.13.0' },
  },
  {
    url: 'kubernetes-sigs.github.io/descheduler',
    charts: ['descheduler'],
    asked: 'kubernetes-sigs/descheduler #1470',
    mirrored: { seen: '0.35.0' },
  },
  {
    url: 'kedacore.github.io/charts',
    charts: ['keda', 'keda-add-ons-http'],
    asked: 'kedacore/charts #20',
    mirrored: { seen: '2.18.3' },
  },
  {
    url: 'raw.githubusercontent.com/kubernetes-csi/csi-driver-nfs/master/charts',
    charts: ['csi-driver-nfs'],
    asked: 'kubernetes-csi/csi-driver-nfs #618',
    mirrored: { seen: '4.13.4' },
  },
  { url: 'charts.fairwinds.com/stable', charts: ['goldilocks'], mirrored: { seen: '11.0.0' } },
  { url: 'kubernetes-sigs.github.io/external-dns', charts: ['external-dns'], mirrored: { seen: '1.20.0' } },
]

type FoundSource =
  | { readonly source: ChartSource; readonly isMirror: boolean }
  | { readonly source: undefined; readonly asked: string | undefined; readonly isMirrored: boolean }

/** Where the chart of a classic repository is published: rows of the user first, then ours; a mirror only where it is asked for. */
export function chartSourceOf(
  url: string,
  chart: string,
  { rows, mirror }: { readonly rows: readonly ChartSource[]; readonly mirror: boolean },
): FoundSource {
  const key = addressKey(url)
  const fits = (row: { readonly url: string; readonly charts: readonly string[] | 'any' }) =>
    addressKey(row.url) === key && (row.charts === 'any' || row.charts.includes(chart))
  const source = [...rows, ...published].find(fits)
  if (source !== undefined) return { source, isMirror: false }
  const known = unpublished.find(fits)
  if (known === undefined || !mirror) return { source: undefined, asked: known?.asked, isMirrored: known !== undefined }
  const { url: address, charts, mirrored } = known
  return {
    source: { url: address, charts, oci: `oci://${mirrorAddress}/<chart>`, tag: 'without-v', ...mirrored },
    isMirror: true,
  }
}

/** Two addresses of one repository have one key: without scheme, with the host in small letters, without what ends it. */
export function addressKey(url: string): string {
  const [host = '', ...path] = url.replace(/^[a-z+]+:\/\//i, '').split('/')
  return [host.toLowerCase(), ...path]
    .join('/')
    .replace(/\/index\.yaml$/, '')
    .replace(/\/+$/, '')
}

const rowSchema = z.strictObject({
  url: z.string().min(1),
  charts: z.union([z.literal('any'), z.array(z.string().min(1)).min(1)]),
  oci: z.string().regex(/^oci:\/\/[^/]+\/.+/, 'an address as oci://registry/path/<chart>'),
  tag: z.enum(['as-written', 'with-v', 'without-v']).default('as-written'),
  since: z.string().optional(),
})

/** Reads rows of a user's table: a YAML list. @throws InputError naming the row and what would be right */
export function readChartSources(file: string, text: string): readonly ChartSource[] {
  let value: unknown
  try {
    value = parse(text, { maxAliasCount: 0 })
  } catch (error) {
    throw new InputError([
      {
        code: 'chart-table',
        where: file,
        found: error instanceof Error ? (error.message.split('\n')[0] ?? '') : '',
        expected: 'a YAML list of rows with url, charts, oci and tag',
      },
    ])
  }
  const read = z.array(rowSchema).safeParse(value)
  if (!read.success)
    throw new InputError(
      read.error.issues.map(({ path, message }) => ({
        code: 'chart-table',
        where: `${file}: ${path.length === 0 ? 'the whole' : `row ${path.join('.')}`}`,
        found: message,
        expected: 'rows as {url: charts.example.com, charts: [app], oci: oci://ghcr.io/example/charts/<chart>, tag: without-v}',
      })),
    )
  return read.data.map(({ since, ...row }) => ({ ...row, ...(since === undefined ? {} : { since }) }))
}
