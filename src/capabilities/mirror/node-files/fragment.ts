// The part of containerd's own configuration without which a mirror has nothing to give, or is never asked. Pure.

/** Ends with a newline. One directory, never a list: of a list the transfer service takes none, and every mirror is skipped. */
export function containerdFragment({
  containerd: version,
  configPath,
  keepLayers,
}: {
  /** Whose names of plugins; 2 has those of containerd 2.0 and later. */
  readonly containerd: 1 | 2
  readonly configPath: string
  readonly keepLayers: boolean
}): string {
  const [layers, registry] =
    version === 2
      ? ['plugins."io.containerd.cri.v1.images"', 'plugins."io.containerd.cri.v1.images".registry']
      : ['plugins."io.containerd.grpc.v1.cri".containerd', 'plugins."io.containerd.grpc.v1.cri".registry']
  return [
    ...(version === 1 ? ['version = 2'] : []),
    ...(keepLayers ? [`[${layers}]`, '  discard_unpacked_layers = false'] : []),
    `[${registry}]`,
    `  config_path = "${configPath}"`,
    '',
  ].join('\n')
}

/** Where it is imported from. */
export const fragmentPath = '/etc/containerd/conf.d/20-ballast.toml'
