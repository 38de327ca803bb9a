"""The roles a plugin can play, the hooks it can implement, the manager that finds it and the kit that tests it."""
