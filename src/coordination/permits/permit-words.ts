// The words in which a permit says how it ended, and where pods landed.

/** How a permit ended. `withdrawn`: nothing had happened and nothing will. `yielded`: cut short, because a pod needs its node. */
export const endings = ['done', 'failed', 'withdrawn', 'expired', 'yielded'] as const

/** Where the replacement of a moved pod came to stand. `unheld`: elsewhere, because it was made while the landing webhook was away. */
export const landings = ['expected', 'other', 'back', 'pending', 'unheld'] as const
