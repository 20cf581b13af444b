// Flags of upstream's `spegel registry` and ours beside them, as options of a command and from the environment.
import { type Command, Option } from 'commander'
import type { Surroundings } from '#cli/command-line.ts'
import { parseStringSlice } from '#process/drop-ins/string-slice.ts'
import type { RegistryFlags } from '../registry-flags.ts'

interface RegistryFlag {
  readonly flag: string
  /** In the settings. */
  readonly key: keyof RegistryFlags
  readonly form: 'text' | 'list' | 'bool'
  readonly help: string
  /** Taken, and not shown. */
  readonly isHidden?: boolean
}

// biome-ignore format: a table
const registryFlags: readonly RegistryFlag[] = [
  { flag: 'registry-addr', key: 'registryAddr', form: 'text', help: 'HOST:PORT that containerd and other nodes ask; the same port on all nodes (:5000)' },
  { flag: 'router-addr', key: 'routerAddr', form: 'text', help: 'HOST:PORT of libp2p (:5001)' },
  { flag: 'metrics-addr', key: 'metricsAddr', form: 'text', help: 'HOST:PORT of health, metrics and /debug/web/ (:9090)' },
  { flag: 'containerd-sock', key: 'containerdSock', form: 'text', help: "containerd's socket (/run/containerd/containerd.sock)" },
  { flag: 'containerd-namespace', key: 'containerdNamespace', form: 'text', help: "containerd's namespace (k8s.io)" },
  { flag: 'containerd-content-path', key: 'containerdContentPath', form: 'text', help: "containerd's content as files; empty: containerd is asked (/var/lib/containerd/io.containerd.content.v1.content)" },
  { flag: 'data-dir', key: 'dataDir', form: 'text', help: "where the node's identity is kept; empty: a new one each time" },
  { flag: 'mirrored-registries', key: 'mirroredRegistries', form: 'list', help: 'only these registries, such as https://ghcr.io; without it, all' },
  { flag: 'registry-filters', key: 'registryFilters', form: 'list', help: 'regular expressions over REGISTRY/REPOSITORY[:TAG] that are left out' },
  { flag: 'mirror-resolve-timeout', key: 'mirrorResolveTimeout', form: 'text', help: 'how long to wait for the first node (20ms)' },
  { flag: 'mirror-resolve-retries', key: 'mirrorResolveRetries', form: 'text', help: 'how many nodes to look for (3)' },
  { flag: 'bootstrap-kind', key: 'bootstrapKind', form: 'text', help: 'how nodes find each other first: dns, http, static, file, kubernetes' },
  { flag: 'dns-bootstrap-domain', key: 'dnsBootstrapDomain', form: 'text', help: 'a name that resolves to nodes' },
  { flag: 'http-bootstrap-addr', key: 'httpBootstrapAddr', form: 'text', help: 'HOST:PORT where this node announces itself' },
  { flag: 'http-bootstrap-url', key: 'httpBootstrapUrl', form: 'text', help: 'where another node announces itself' },
  { flag: 'http-bootstrap-peer', key: 'httpBootstrapUrl', form: 'text', help: 'as --http-bootstrap-url, which wins', isHidden: true },
  { flag: 'http-bootstrap-cert-dir', key: 'httpBootstrapCertDir', form: 'text', help: 'ca.crt, tls.crt and tls.key for both HTTP bootstrap addresses' },
  { flag: 'static-bootstrap-peers', key: 'staticBootstrapPeers', form: 'list', help: 'multiaddresses with /p2p/ID' },
  { flag: 'debug-web-enabled', key: 'debugWebEnabled', form: 'bool', help: 'serve /debug/web/ (true)' },
  { flag: 'resolve-latest-tag', key: 'resolveLatestTag', form: 'bool', help: 'false: as --registry-filters :latest$', isHidden: true },
  { flag: 'bootstrap-file', key: 'bootstrapFile', form: 'text', help: 'ours: addresses of nodes, one a line; read again when it changes' },
  { flag: 'peer-addr', key: 'peerAddr', form: 'text', help: 'ours: HOST:PORT for other agents, with mutual TLS (:5002 with --peer-cert-dir)' },
  { flag: 'peer-cert-dir', key: 'peerCertDir', form: 'text', help: 'ours: ca.crt, tls.crt and tls.key for --peer-addr; read again when they change' },
  { flag: 'allow-from', key: 'allowFrom', form: 'list', help: 'ours: who may ask on the registry port: any, node, or networks (any; in a configuration: node)' },
  { flag: 'data-plane', key: 'dataPlane', form: 'text', help: 'ours: what carries bodies: auto, builtin, or nginx (auto)' },
  { flag: 'tags', key: 'tags', form: 'text', help: 'ours: always, never, or fallback: only while their registry is away (always)' },
  { flag: 'zone', key: 'zone', form: 'text', help: 'ours: zone of this node; nodes of the same zone are asked first' },
]

/** Flags of lines that are gone: taken, told once, and without effect. */
const forgotten = ['local-addr', 'leader-election-namespace', 'leader-election-name', 'kubeconfig-path', 'blob-speed'] as const

/** All of them, on `command`. */
export function addRegistryFlags(command: Command): Command {
  for (const { flag, form, help, isHidden = false } of registryFlags) {
    const value = form === 'list' ? '<values...>' : form === 'bool' ? '[value]' : '<value>'
    command.addOption(new Option(`--${flag} ${value}`, help).hideHelp(isHidden))
  }
  for (const flag of forgotten) command.addOption(new Option(`--${flag} [values...]`).hideHelp())
  return command
}

/** What was given: in the command line, else in the environment (`REGISTRY_ADDR`), which says lists with commas. */
export function givenRegistryFlags(
  command: Command,
  environment: Surroundings['environment'],
): { readonly flags: RegistryFlags; readonly warnings: readonly string[] } {
  const values: Readonly<Record<string, unknown>> = command.opts()
  const said = (flag: string): unknown => {
    const name = flag.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase())
    return command.getOptionValueSource(name) === 'cli' ? values[name] : undefined
  }
  // The older spelling first, so that the newer one wins.
  const ordered = registryFlags.toSorted((a, b) => Number(b.isHidden ?? false) - Number(a.isHidden ?? false))
  const given = ordered.flatMap(({ flag, key, form }) => {
    const value = said(flag) ?? fromEnvironment(environment[variableOf(flag)], form)
    return value === undefined ? [] : [[key, readValue(value, form)] as const]
  })
  const warnings = [
    ...forgotten.filter(flag => said(flag) !== undefined).map(flag => `--${flag} has no effect: no line since 0.1 has it`),
    ...(said('resolve-latest-tag') === undefined ? [] : ['--resolve-latest-tag is of old: --registry-filters says it now']),
  ]
  return { flags: Object.fromEntries(given), warnings }
}

export const variableOf = (flag: string): string => flag.toUpperCase().replaceAll('-', '_')

function fromEnvironment(text: string | undefined, form: RegistryFlag['form']): unknown {
  if (text === undefined || (text === '' && form !== 'text')) return undefined
  return form === 'list' ? (parseStringSlice(text) ?? [text]) : text
}

/** A flag without a value is true. */
function readValue(value: unknown, form: RegistryFlag['form']): string | readonly string[] {
  if (form === 'list') return Array.isArray(value) ? value.map(String) : [String(value)]
  return String(value)
}
