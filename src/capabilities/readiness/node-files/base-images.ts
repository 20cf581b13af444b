// Images that a node has already and that may hold a shell, in the order in which they are tried. Pure.

/** Images that nearly every node has, by parts of their repositories' names. */
const knownNames = ['kube-proxy', 'cilium', 'calico/', 'flannel', 'amazon-k8s-cni', 'busybox', 'alpine'] as const

/** `registry.k8s.io/kube-proxy` of `registry.k8s.io/kube-proxy:v1.34.1` and of `…@sha256:…`. */
function repositoryOf(image: string): string {
  const [name = ''] = image.split('@')
  const slash = name.lastIndexOf('/')
  const colon = name.lastIndexOf(':')
  return colon > slash ? name.slice(0, colon) : name
}

/**
 * What to try on a node with `images` (each with all its names), first things first: the user's, our own, then those that are known.
 * Each is the name by which the node has it. An entry of the user's without tag and digest is a repository.
 */
export function candidates(
  images: readonly (readonly string[])[],
  { baseImages, ownImage }: { readonly baseImages: readonly string[]; readonly ownImage: string | undefined },
): readonly string[] {
  const found: string[] = []
  const take = (wanted: (name: string) => boolean) => {
    for (const names of images) {
      const name = names.find(wanted)
      if (name === undefined || names.some(one => found.includes(one))) continue
      found.push(name)
    }
  }
  for (const image of baseImages) {
    const isWhole = repositoryOf(image) !== image
    take(name => (isWhole ? name === image : repositoryOf(name) === image || repositoryOf(name).endsWith(`/${image}`)))
  }
  if (ownImage !== undefined) take(name => name === ownImage)
  // By tag where there is one: people read it.
  for (const known of knownNames) {
    take(name => !name.includes('@') && isOf(name, known))
    take(name => isOf(name, known))
  }
  return found
}

function isOf(name: string, known: string): boolean {
  const repository = repositoryOf(name)
  return known.endsWith('/') ? repository.includes(`/${known}`) || repository.startsWith(known) : repository.includes(known)
}
