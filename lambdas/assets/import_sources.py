"""What an import fetches and what its file is called, from what its owner named."""

from dataclasses import dataclass, field

from generate_on_cloud.contract.asset_bodies import CreateAsset
from generate_on_cloud.contract.assets import ASSET_TYPES, AssetType, asset_type_named
from generate_on_cloud.contract.errors import FieldError
from generate_on_cloud.fetching.model_sites import ModelSites, ModelSource, told_failure
from generate_on_cloud.fetching.public_addresses import FetchError, parse_public_target
from lambdas.assets.record import composed
from lambdas.assets.store import MAX_NAME
from lambdas.problems import invalid, shortened

_GIVE_A_NAME = "give one with `name` (`goc assets import --name`)"


@dataclass(frozen=True)
class ImportSources:
    sites: ModelSites = field(default_factory=ModelSites)

    def located(self, wanted: CreateAsset) -> CreateAsset:
        """The import with the URL of the file, its name and, if the site says it, its SHA-256.

        A name that its owner gave stays. Else it is the site's, else the end of the URL, else that of the source's
        `Content-Disposition`.

        Raises:
            ProblemError: `invalid_params`; the source cannot be asked, or does not say a name.
        """
        asset_type = asset_type_named(wanted.type)
        if wanted.source_url is None or asset_type is None:
            return wanted
        extensions, token = ASSET_TYPES[asset_type].extensions, wanted.bearer_token
        try:
            source = self.sites.located(wanted.source_url, extensions=extensions, token=token)
            parse_public_target(source.url)
        except FetchError as error:
            raise invalid([FieldError(pointer="/source_url", message=told_failure(error))]) from error
        name = wanted.name or self._name(source, asset_type, token)
        told = {"source_url": source.url, "name": name, "sha256": wanted.sha256 or source.sha256}
        return wanted.model_copy(update=told)

    def _name(self, source: ModelSource, asset_type: AssetType, token: str | None) -> str:
        extensions = ASSET_TYPES[asset_type].extensions
        name = source.name
        if name is None or not name.endswith(extensions):
            name = self._told(source.url, token) or name
        if name is not None and name.endswith(extensions) and len(name) <= MAX_NAME:
            return composed(name)
        called = f"the source calls the file {shortened(name)!r}" if name else "the source does not name the file"
        message = f"{called}; allowed for a {asset_type}: names ending in {', '.join(extensions)}; {_GIVE_A_NAME}"
        raise invalid([FieldError(pointer="/name", message=message)])

    def _told(self, url: str, token: str | None) -> str | None:
        try:
            return self.sites.told_name(url, token=token)
        except FetchError as error:
            message = f"the source cannot be asked for the file's name: {told_failure(error)}; {_GIVE_A_NAME}"
            raise invalid([FieldError(pointer="/name", message=message)]) from error
