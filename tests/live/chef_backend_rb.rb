# What Ruby itself makes of a chef-backend.rb: each setting as `set NAME VALUE`, the way that ruby-settings.awk says it.
# The settings are methods that take anything, as they are to Mixlib::Config, which Chef Backend reads the file with.
class Section
  def initialize(found, name)
    @found = found
    @name = name
  end

  def method_missing(message, *values)
    name = "#{@name}.#{message}"
    return Section.new(@found, name) if values.empty?
    @found[name.chomp("=")] = values.size == 1 ? values[0] : values
  end

  def []=(key, value)
    @found["#{@name}.#{key}"] = value
  end

  def respond_to_missing?(*)
    true
  end
end

class Configuration < BasicObject
  def initialize(found)
    @found = found
  end

  def method_missing(message)
    ::Section.new(@found, message.to_s)
  end
end

def item(text)
  "#{text.bytesize}:#{text}"
end

def canonical(value)
  case value
  when Array then "\x02[#{value.map { |one| item(canonical(one)) }.join}]"
  when Hash then "\x02{#{value.map { |key, one| item(canonical(key)) + item(canonical(one)) }.sort.join}}"
  when nil then "nil"
  else value.to_s
  end
end

Encoding.default_external = "BINARY"
found = {}
Configuration.new(found).instance_eval($stdin.read)
found.each { |name, value| puts "set #{name} #{canonical(value).gsub("\n", "\x03")}" }
