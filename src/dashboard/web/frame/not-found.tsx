import { PageTitle } from './page-title.tsx'
import { A, address } from './router.tsx'

export function NotFoundPage() {
  return (
    <>
      <PageTitle text="No such page" />
      <p>
        There is nothing at <code>{address.value.path}</code>. <A href="/">Overview</A>
      </p>
    </>
  )
}
