from clemcore import backends


class Player:
    def __init__(self, model, *, name=None, game_role=None):
        self._model, self.name, self.game_role, self._messages = model, name, game_role, []

    @property
    def model(self):
        return self._model

    def __call__(self, context, memorize=True):
        assert context["role"] == "user"
        if isinstance(self._model, backends.CustomResponseModel):
            text = self._custom_response(context)
        else:
            text = self._model.generate_response(self._messages + [context])[2]
        if memorize:
            self._messages += [dict(context), {"role": "assistant", "content": text}]
        return text
