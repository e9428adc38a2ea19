/**
 * The elements of the page, and what is said through them.
 *
 * @module
 */

/**
 * The one element of the page that a selector fits.
 *
 * @throws {Error} there is none
 */
export function find<Found extends HTMLElement = HTMLElement> (selector: string, parent: ParentNode = document): Found {
  const found = parent.querySelector<Found>(selector)

  if (found == null) {
    throw new Error(`The page has no ${selector}`)
  }

  return found
}

/** A new list item, made from a template of the page. */
export function fromTemplate (id: string): HTMLLIElement {
  return find<HTMLLIElement>('li', find<HTMLTemplateElement>(`#${id}`).content).cloneNode(true) as HTMLLIElement
}

/** Tells those who do not see the page what has happened. */
export function announce (text: string): void {
  find('#announcer').textContent = text
}
