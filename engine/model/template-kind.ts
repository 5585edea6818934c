/** The kinds of description that can be begun from a template. */
export const templateKinds = ['application', 'appliance', 'assembly'] as const;

/** A kind of description. */
export type TemplateKind = (typeof templateKinds)[number];
