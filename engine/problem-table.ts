import type { Problem } from './problems.ts';

type ProblemRow = { readonly severity: Problem['severity']; readonly meaning: string };

const error = (meaning: string): ProblemRow => ({ severity: 'error', meaning });
const warning = (meaning: string): ProblemRow => ({ severity: 'warning', meaning });

/** Every code that a {@link Problem} may carry; a test provokes each of them. */
export const problemTable = {
  // Text
  TEXT_UNREADABLE: error('The file is not UTF-8 text, or cannot be read.'),
  TEXT_TOO_LARGE: error('The file is larger than a description may be.'),
  YAML_BROKEN: error('The file is not well-formed YAML.'),
  YAML_EMPTY: error('The file holds no description.'),
  YAML_MANY: error('The file holds more than one document.'),
  YAML_ALIASES: error('Aliases expand to more than a description may hold, or to themselves.'),
  KEY_DUPLICATE: error('A key stands twice in one mapping.'),

  // Shape
  KIND_UNKNOWN: error('The file is no appliance, assembly or application of a known format.'),
  KEY_UNKNOWN: error('A key has no meaning here.'),
  KEY_MISSING: error('A key that must be there is absent.'),
  TYPE_WRONG: error('A value is of another type than its key takes.'),
  VALUE_UNFIT: error('A value is outside what its key allows.'),
  NAME_UNFIT: error('A name has characters or a length that names may not have.'),
  SIZE_UNFIT: error('A text is not a size with a binary unit.'),
  DURATION_UNFIT: error('A text is not a duration with a unit.'),
  VERSION_UNFIT: error('A text is not a semantic version.'),
  RANGE_UNFIT: error('A text is not a range of versions.'),
  LIMITS_CONTRADICT: error('A minimum, default and maximum are not in this order.'),

  // An appliance
  PROTOCOL_UNKNOWN: error('A protocol is neither in the table nor declared.'),
  PROTOCOL_CONFLICT: error('Two descriptions declare one protocol differently.'),
  PORT_UNFIT: error('A terminal takes its port from something that is no port.'),
  DOOR_UNFIT: error('A door that leads out and the ins before it do not belong together.'),
  PORT_TAKEN: error('Two terminals of one appliance listen on the same port.'),
  DEFAULT_UNFIT: error('The default of a property breaks its own declaration.'),
  CONSTRAINT_UNFIT: error('A property declares a constraint that its type does not have.'),
  PATTERN_BROKEN: error('A pattern is not a regular expression of the linear-time kind.'),
  SECRET_DEFAULT: error('A secret has a default in plain text.'),
  SERVICE_UNKNOWN: error('A service is named that the appliance does not have.'),
  SERVICE_CYCLE: error('Services wait for each other.'),
  HEALTH_UNFIT: error('A health probe names a terminal that it cannot probe.'),
  GUEST_PATH_TAKEN: error('Two things claim one path in the guest, or one that belongs to Sheaf.'),
  DISK_UNFIT: error('An appliance that is a whole disk declares what only Sheaf inside of it could do.'),
  FILE_MISSING: error('A file or folder that the description names does not exist.'),
  FILE_UNFIT: error('A file that the description names is of the wrong kind or too large.'),
  PATH_OUTSIDE: error('A path leads out of the folder of its description.'),

  // Templates
  TEMPLATE_BROKEN: error('A template is not well-formed.'),
  TEMPLATE_UNSAFE: error('A template does what templates may not do.'),
  TEMPLATE_UNDEFINED: error('A template names something that does not exist.'),

  // Appliances in use
  APPLIANCE_UNKNOWN: error('No appliance or assembly has this name.'),
  VERSION_UNSATISFIABLE: error('No version that exists is in the range.'),
  VERSION_YANKED: warning('A version in use was withdrawn from its catalog.'),
  CATALOG_FAILED: error('A catalog that may have an appliance cannot be reached or must not be believed.'),
  ASSEMBLY_RECURSIVE: error('An assembly contains itself.'),
  NESTING_TOO_DEEP: error('Assemblies are nested more than 16 deep.'),
  APPLICATION_TOO_LARGE: error('The application expands to more appliances than are allowed.'),
  BOUNDARY_UNKNOWN: error('A boundary shows a part that is not inside.'),
  ASSEMBLY_REPLICATED: error('An assembly is given what only its parts can take.'),
  LOCK_MISMATCH: error('An appliance is not what the lock names.'),
  LOCK_STALE: warning('A locked version is no longer there; another was chosen.'),

  // Wires
  WIRE_UNFIT: error('A wire is not written as one out and one in.'),
  WIRE_UNKNOWN: error('A wire ends at an appliance or terminal that does not exist.'),
  WIRE_DIRECTION: error('A wire does not lead from an out to an in.'),
  WIRE_PROTOCOL: error('A wire joins protocols that are not alike.'),
  WIRE_NAMES: error('The names of the outer world that a wire lists do not fit where it leads.'),
  WIRE_DUPLICATE: error('An out terminal has more than one wire.'),
  WIRE_MISSING: error('An out terminal that is not optional has no wire.'),
  WIRE_CYCLE: error('Appliances wait for each other.'),

  // Settings
  PROPERTY_UNKNOWN: error('An appliance or assembly has no property of this name.'),
  PROPERTY_MISSING: error('A mandatory property has no value.'),
  PROPERTY_UNFIT: error('A value does not fit the declaration of its property.'),
  PARAMETER_UNKNOWN: error('No parameter has this name.'),
  PARAMETER_MISSING: error('A mandatory parameter was not given.'),
  PARAMETER_UNFIT: error('A given value does not fit the declaration of its parameter.'),
  PARAMETER_UNUSED: warning('A parameter feeds nothing.'),
  SOURCE_TYPE_UNLIKE: error('A property takes its value from one of another type.'),
  SECRET_PLAIN: error('A secret stands in the description in plain text.'),
  VOLUME_UNKNOWN: error('An appliance or assembly has no volume of this name.'),
  VOLUME_SHARED: error('Replicas would share a data volume.'),
  CONTENT_UNKNOWN: error('An appliance or assembly has no content place of this name.'),
  CONTENT_MISSING: error('A content place that is not optional is left empty.'),
  RESOURCE_OUTSIDE: error('A resource or size is outside the range that the appliance declares.'),
  EXPOSE_UNKNOWN: error('An address is given for an external terminal that does not exist.'),

  // Packing
  SECRET_FOUND: error('A file that would be packed holds what looks like a secret.'),

  PROBLEMS_OMITTED: error('There are more problems than are shown.'),
} as const satisfies Record<string, ProblemRow>;

/** The name of a problem. */
export type ProblemCode = keyof typeof problemTable;
