import abc
from types import SimpleNamespace


class Model(abc.ABC):
    def __init__(self, model_spec):
        self.model_spec = model_spec

    @property
    def name(self):
        return self.model_spec.model_name

    @abc.abstractmethod
    def generate_response(self, messages):
        """Gives (prompt, response object, text)."""


class CustomResponseModel(Model):
    def __init__(self, model_spec=SimpleNamespace(model_name="programmatic")):
        super().__init__(model_spec)

    def generate_response(self, messages):
        raise NotImplementedError
